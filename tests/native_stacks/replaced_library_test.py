"""A library unloaded and another at the same address: each stack is named after the right one."""
import os

from memlens_testing import BUILD, MemlensTest, main

TOOLS = os.path.join(BUILD, "tests", "native_stacks")


class ReplacedLibrary(MemlensTest):
    def test_each_stack_is_of_the_library_that_was_there(self):
        libraries = [os.path.join(TOOLS, f"libplugin_{name}.so") for name in ("one", "two")]
        capture = self.record([os.path.join(TOOLS, "replaces_plugin"), *libraries])
        places = set(self.recording.stdout.split())
        self.assertEqual(len(places), 1, "the loader chose different places: nothing is tested")
        found = {}
        for stack in self.stacks("leaks", capture, "--native")["stacks"]:
            names = [frame["function"] for frame in stack["frames"]]
            if stack["bytes"] in (2 * 1111, 2 * 2222):
                found[stack["bytes"] // 2] = (names[:3], stack["blocks"])
        self.assertEqual(found, {1111: (["function_one", "entry", "main"], 2),
                                 2222: (["function_two", "entry", "main"], 2)})


if __name__ == "__main__":
    main()
