"""Signal handlers, jumps out of them, fibers and ending threads: what is recorded, and what is counted."""
from memlens_testing import MemlensTest, functions, main


class Jumps(MemlensTest):
    def test_what_a_thread_does_after_it_left_free_by_a_jump_is_recorded(self):
        leaks = self.stacks("leaks", self.record([self.program("left_by_jump"), "free"], "--native"))
        work = [stack for stack in leaks["stacks"] if functions(stack)[0] == "work"]
        self.assertEqual(sum(stack["blocks"] for stack in work), 100)
        self.assertEqual(sum(stack["bytes"] for stack in work), 100_000)

    def test_maps_are_recorded_while_handlers_jump_out_of_them(self):
        capture = self.record([self.program("left_by_jump"), "mmap"])
        maps = int(self.recording.stdout)
        recorded = self.summary(capture)["by_allocator"]["mmap"]["allocations"]
        # One that was interrupted after it had been made is recorded or counted, or neither.
        self.assertLessEqual(abs(recorded - maps), 200)


class Handlers(MemlensTest):
    def check(self, where):
        capture = self.record([self.program("handler_allocates"), where])
        calls = int(self.recording.stdout)
        summary = self.summary(capture)
        # The map of both stacks is the program's own; so may the thread library's be.
        recorded = sum(stack["blocks"]
                       for stack in self.stacks("allocations", capture, "--native")["stacks"]
                       if "on_timer" in functions(stack))
        self.assertLessEqual(recorded, calls // 2)
        self.assertGreater(summary["skipped_calls"], 0)
        # Of each pair both, one or none is recorded; what is not, is counted.
        self.assertEqual(calls - summary["skipped_calls"], self.recorded_calls(capture))
        self.assertIn("by signal handlers", self.memlens("summary", capture).stdout)

    def recorded_calls(self, capture):
        lines = self.memlens("dump", capture).stdout.splitlines()
        return sum(1 for line in lines
                   if (" map " in line or " unmap " in line) and " bytes=12288" in line)

    def test_on_an_alternate_stack_above(self):
        self.check("above")

    def test_on_an_alternate_stack_below(self):
        self.check("below")

    def test_on_the_threads_own_stack(self):
        self.check("own")


class Fibers(MemlensTest):
    def test_both_of_two_fibers_are_recorded(self):
        leaks = self.stacks("leaks", self.record([self.program("fibers")], "--native"))
        blocks = [stack for stack in leaks["stacks"] if functions(stack)[0] == "allocate"]
        self.assertEqual(sum(stack["blocks"] for stack in blocks), 200)
        # What makecontext() has them return to called nobody.
        self.assertEqual({tuple(functions(stack)) for stack in blocks}, {("allocate", "run")})
        self.assertEqual(self.summary(self.record([self.program("fibers")]))["skipped_calls"], 0)


class Threads(MemlensTest):
    def test_a_thread_is_one_thread_whatever_is_freed_after_its_end(self):
        summary = self.summary(self.record([self.program("threads_count")]))
        self.assertEqual(summary["threads"], 101)


if __name__ == "__main__":
    main()
