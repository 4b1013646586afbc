"""A short form of attach_cycles.py: twenty cycles of each kind, and the ledger."""
from attach_cycles import Failure, Skipped, run_cycles, run_ledger, run_start_cycles
from memlens_testing import MemlensTest, main

CYCLES = 20


class Cycles(MemlensTest):
    def run_kind(self, kind, dormant=False, room=None):
        try:
            run_cycles(kind, CYCLES, 0.05, dormant, room)
        except Skipped as reason:
            self.skipTest(str(reason))

    def test_four_threads_that_check_their_blocks_see_nothing_of_it(self):
        self.run_kind("threads")

    def test_threads_that_open_and_close_libraries_see_nothing_of_it(self):
        self.run_kind("dlopen")

    def test_a_program_that_forks_all_the_time_sees_nothing_of_it(self):
        self.run_kind("forks")

    def test_one_thread_that_takes_eintr_for_an_error_sees_nothing_of_it(self):
        self.run_kind("lone")

    def test_a_program_that_is_left_12_mb_of_address_space_is_recorded_as_any(self):
        self.run_kind("lone", room=12)

    def test_an_event_loop_with_worker_threads_sees_nothing_of_it(self):
        self.run_kind("asyncio-3.11")

    def test_nor_does_it_on_the_latest_python(self):
        self.run_kind("asyncio-3.14")

    def test_a_server_that_forked_its_workers_sees_nothing_of_it(self):
        self.run_kind("prefork")

    def test_a_server_with_an_allocator_of_its_own_sees_nothing_of_it(self):
        self.run_kind("redis")

    def test_node_sees_nothing_of_it(self):
        self.run_kind("node")

    def test_java_sees_nothing_of_it(self):
        self.run_kind("java")

    def test_a_program_in_its_first_moments_sees_nothing_of_it(self):
        run_start_cycles(CYCLES)

    def test_what_four_threads_did_between_attach_and_detach_is_what_is_recorded(self):
        run_ledger(3)

    def test_started_dormant_four_threads_see_nothing_of_it(self):
        self.run_kind("threads", dormant=True)

    def test_started_dormant_threads_that_open_and_close_libraries_see_nothing_of_it(self):
        self.run_kind("dlopen", dormant=True)

    def test_started_dormant_the_ledger_is_what_is_recorded(self):
        run_ledger(3, dormant=True)


if __name__ == "__main__":
    main()
