"""What is loaded is known without asking the loader, also before it could be asked without a lock."""
import os
import shutil

from memlens_testing import BUILD, LIBRARY, MEMLENS, MemlensTest, functions, main

TOOLS = os.path.join(BUILD, "tests", "native_stacks")
OLD_LOADER = os.path.join(TOOLS, "old_loader", "libmemlens.so")


class LoaderList(MemlensTest):
    def each_library(self):
        """memlens with the library as it is, and as it is with a glibc before 2.35."""
        for name, library in (("this loader", LIBRARY), ("an old loader", OLD_LOADER)):
            folder = os.path.join(self.directory, name.replace(" ", "-"))
            for part, file in (("bin", MEMLENS), ("lib", library)):
                os.makedirs(os.path.join(folder, part))
                shutil.copy(file, os.path.join(folder, part))
            print(name, flush=True)
            yield os.path.join(folder, "bin", "memlens")

    def record_with(self, memlens, *command):
        capture = memlens + ".mlens"
        self.recording = self.memlens("run", "--force", "-o", capture, "--", *command, code=None,
                                      memlens=memlens)
        return capture

    def test_children_forked_while_a_thread_holds_the_loaders_lock_end(self):
        for memlens in self.each_library():
            capture = self.record_with(memlens, os.path.join(TOOLS, "forks_beside_loader_lock"), "60")
            self.assertEqual(self.recording.stdout, "0\n", "children had to be killed")
            found = {}
            for stack in self.stacks("allocations", capture)["stacks"]:
                names = tuple(functions(stack)[:2])
                found[names] = found.get(names, 0) + stack["blocks"]
            for number in range(4):
                self.assertEqual(found.get((f"allocate_{number}", "main")), 60, found)
            compared = [count for names, count in found.items() if names[0] == "compare"]
            self.assertGreaterEqual(sum(compared), 60 * 2)

    def test_libraries_that_no_hook_sees_have_stacks(self):
        for memlens in self.each_library():
            capture = self.record_with(memlens, os.path.join(TOOLS, "hidden_libraries"),
                                       os.path.join(TOOLS, "libnamespaced.so"))
            self.assertEqual(self.recording.returncode, 0, self.recording.stderr)
            stacks = self.stacks("allocations", capture)["stacks"]
            names = [functions(stack) for stack in stacks if stack["bytes"] == 7777]
            self.assertEqual([n[:3] for n in names], [["allocate", "in_namespace", "main"]])
            converter = [s for s in stacks
                         if s["frames"] and "UTF-16.so" in s["frames"][0].get("module", "")]
            self.assertGreater(len(converter), 0)
            for stack in converter:
                self.assertIn("main", functions(stack))

    def test_libraries_that_take_each_others_place_are_told_apart(self):
        for memlens in self.each_library():
            capture = self.record_with(memlens, os.path.join(TOOLS, "replaces_plugin"),
                                       os.path.join(TOOLS, "libplugin_one.so"),
                                       os.path.join(TOOLS, "libplugin_two.so"))
            found = {stack["bytes"] // 2: functions(stack)[:3]
                     for stack in self.stacks("leaks", capture)["stacks"]
                     if stack["bytes"] in (2 * 1111, 2 * 2222)}
            self.assertEqual(found, {1111: ["function_one", "entry", "main"],
                                     2222: ["function_two", "entry", "main"]})


if __name__ == "__main__":
    main()
