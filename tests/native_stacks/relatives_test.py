"""Forked children share what they learn of code, but not of code that each has for itself."""
import collections
import os

from memlens_testing import BUILD, MemlensTest, main

TOOLS = os.path.join(BUILD, "tests", "native_stacks")


class Relatives(MemlensTest):
    def test_each_child_has_its_own_stacks(self):
        libraries = [os.path.join(TOOLS, f"libframe_{name}.so") for name in ("small", "large")]
        capture = self.record([os.path.join(TOOLS, "relatives"), *libraries])
        places = {library: set() for library in libraries}
        for line in self.recording.stdout.splitlines():
            library, place = line.rsplit(" ", 1)
            places[library].add(place)
        self.assertTrue(set.intersection(*places.values()),
                        f"the loader chose different places, nothing is tested: {places}")
        found = collections.Counter()
        for stack in self.stacks("leaks", capture, "--native")["stacks"]:
            size = stack["bytes"] // stack["blocks"]
            if size in (1111, 2222, 3333):
                names = [frame["function"] for frame in stack["frames"]]
                found[size, *names[:names.index("main") + 1]] += stack["blocks"]
        deep = ["only_in_children"] * 4
        self.assertEqual(found, {(1111, "function_small", "entry", "child", "main"): 8,
                                 (2222, "function_large", "entry", "child", "main"): 8,
                                 (3333, *deep, "child", "main"): 16})


if __name__ == "__main__":
    main()
