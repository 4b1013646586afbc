"""When and how processes end, as a report tells it: by their own word and their parents'."""
import re

from memlens_testing import MemlensTest, main

BLOCK = 5_000_000


class ChildrenInTurn(MemlensTest):
    def record_children(self, end, wait):
        capture = self.record([self.program("children_in_turn"), end, wait], "--no-native")
        self.children = self.memlens("summary", capture).stdout
        return self.summary(capture)

    def assert_in_turn(self, end, wait):
        with self.subTest(end=end, wait=wait):
            summary = self.record_children(end, wait)
            self.assertEqual(summary["processes"], 21)
            self.assertGreaterEqual(summary["peak_bytes"], BLOCK)
            self.assertLess(summary["peak_bytes"], 2 * BLOCK)
            self.assertTrue(summary["peak_is_exact"])
            self.assertGreaterEqual(summary["leaked_bytes"], 20 * BLOCK)

    def test_children_that_end_by_themselves_are_never_alive_together(self):
        for end in ("_exit", "exit", "return"):
            self.assert_in_turn(end, "raw")

    def test_children_that_are_killed_are_not_either_when_their_parent_waits(self):
        for wait in ("wait", "wait_without_status", "waitpid", "wait3", "wait4", "waitid"):
            self.assert_in_turn("kill", wait)
        for end in ("abort", "raw"):
            self.assert_in_turn(end, "waitpid")

    def test_where_nobody_tells_the_peak_is_said_not_to_be_exact(self):
        summary = self.record_children("kill", "raw")
        if summary["peak_bytes"] >= 2 * BLOCK:
            self.assertFalse(summary["peak_is_exact"])
            self.assertIn("may have been gone by then", self.children)

    def test_how_children_ended_is_told(self):
        for end, words in (("_exit", "exit code 3"), ("exit", "exit code 3"),
                           ("kill", "ended by SIGKILL"), ("abort", "ended by SIGABRT")):
            with self.subTest(end):
                self.record_children(end, "waitpid")
                # Twenty of the 21 are listed, by what they held at the peak: the parent may be one.
                told = re.findall(r"exit code \d+|ended by SIG\w+", self.children)
                self.assertEqual(set(told) - {"exit code 0"}, {words}, self.children)
                self.assertGreaterEqual(told.count(words), 19, self.children)

    def test_more_still_allocated_than_ever_at_once_is_explained(self):
        self.record_children("_exit", "wait")
        self.assertRegex(self.children, r"Still allocated .*adds what each process held when it "
                                        r"ended.*, at most 5\.00 MB of one")


class Reaping(MemlensTest):
    def statuses(self, text):
        capture = self.record(["/usr/bin/python3", self.script(text)], "--no-native")
        return self.memlens("summary", capture).stdout

    def test_a_child_that_is_waited_for_late(self):
        self.assertIn("exit code 5", self.statuses(
            "import os, time\n"
            "pid = os.fork()\n"
            "if pid == 0: os._exit(5)\n"
            "time.sleep(0.5)\n"
            "os.waitpid(pid, 0)\n"))

    def test_a_child_that_nobody_waits_for(self):
        self.assertIn("ended by SIGKILL", self.statuses(
            "import os, signal, time\n"
            "pid = os.fork()\n"
            "if pid == 0: os.kill(os.getpid(), 9)\n"
            "time.sleep(0.3)\n"))

    def test_a_child_that_the_kernel_reaps_at_once(self):
        self.assertIn("exit code 6", self.statuses(
            "import os, signal, time\n"
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
            "if os.fork() == 0: os._exit(6)\n"
            "time.sleep(0.2)\n"))

    def test_many_short_children_all_have_a_status(self):
        text = self.statuses(
            "import os\n"
            "for i in range(19):\n"
            "    pid = os.fork()\n"
            "    if pid == 0: os._exit(9)\n"
            "    os.waitpid(pid, 0)\n")
        self.assertEqual(text.count("exit code 9"), 19, text)

    def test_the_wait_of_a_program_is_what_it_was(self):
        script = self.script(
            "import os, signal\n"
            "def child(code):\n"
            "    pid = os.fork()\n"
            "    if pid == 0: os._exit(code)\n"
            "    return pid\n"
            "pid = child(4)\n"
            "info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
            "print(info.si_pid == pid, info.si_status)\n"
            "print(os.waitpid(pid, 0)[1])\n"
            "try: os.wait()\n"
            "except ChildProcessError as error: print(error.errno)\n"
            "pid = child(1); print(os.wait3(0)[1]); pid = child(2); print(os.wait4(pid, 0)[1])\n")
        self.record(["/usr/bin/python3", script])
        self.assertEqual(self.recording.stdout, "True 4\n1024\n10\n256\n512\n")


if __name__ == "__main__":
    main()
