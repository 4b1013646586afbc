"""A short form of attach_cycles.py: twenty cycles of each kind, and the ledger."""
from attach_cycles import Failure, Program, Skipped, run_cycles, run_ledger
from memlens_testing import MemlensTest, main

CYCLES = 20


class Cycles(MemlensTest):
    late = False

    def setUp(self):
        super().setUp()
        Program.late = self.late

    def run_kind(self, kind):
        try:
            run_cycles(kind, CYCLES, 0.05)
        except Skipped as reason:
            self.skipTest(str(reason))

    def test_four_threads_that_check_their_blocks_see_nothing_of_it(self):
        self.run_kind("threads")

    def test_threads_that_open_and_close_libraries_see_nothing_of_it(self):
        self.run_kind("dlopen")

    def test_a_program_that_forks_all_the_time_sees_nothing_of_it(self):
        self.run_kind("forks")

    def test_an_event_loop_with_worker_threads_sees_nothing_of_it(self):
        self.run_kind("asyncio")

    def test_a_server_with_an_allocator_of_its_own_sees_nothing_of_it(self):
        self.run_kind("redis")

    def test_what_four_threads_did_between_attach_and_detach_is_what_is_recorded(self):
        run_ledger(3)


class CyclesWithoutPreload(Cycles):
    """The same in programs that the library is loaded into when they run."""

    late = True


if __name__ == "__main__":
    main()
