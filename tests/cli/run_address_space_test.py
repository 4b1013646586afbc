"""Programs with a limit on their address space run as without memlens."""
import subprocess

from memlens_testing import MEMLENS, MemlensTest, functions, main

PYTHON = "/usr/bin/python3"

FILL = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
blocks = []
try:
    while True:
        blocks.append(bytearray(10_000_000))
except MemoryError:
    pass
count = len(blocks)
blocks.clear()
print("got", count)
"""

SIZE = """
for line in open("/proc/self/status"):
    if line.startswith("VmSize"):
        print(line.split()[1])
"""

# More threads at once than the first window has chunks; each keeps 100,000 bytes.
THREADS = """
import os, threading
threading.stack_size(64 << 10)
COUNT = 150
barrier = threading.Barrier(COUNT)
kept = []
def work():
    kept.append(bytearray(100_000))
    barrier.wait()
os.closerange(3, 2000)
threads = [threading.Thread(target=work) for i in range(COUNT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(kept), flush=True)
os._exit(0)
"""

LIMIT = """
import resource
def leave_megabytes(more):
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    limit = used + (more << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""

# More processes at once than the first window has chunks, and no address space for another.
PROCESSES = LIMIT + """
import os, sys
leave_megabytes(int(sys.argv[1]))
done, go = os.pipe(), os.pipe()
children = []
for i in range(60):
    pid = os.fork()
    if pid == 0:
        os.close(go[1])
        block = bytearray(1000)
        os.write(done[1], b".")
        os.read(go[0], 1)
        os._exit(7)
    children.append(pid)
for _ in children:
    os.read(done[0], 1)
os.close(go[1])
print(sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""

# Address space for a thread's stack, and not for what recording it needs.
LATE_THREAD = LIMIT + """
import threading
threading.stack_size(64 << 10)
def work():
    for i in range(1000):
        bytearray(1000)
work()
leave_megabytes(1)
thread = threading.Thread(target=work)
thread.start()
thread.join()
for i in range(100_000):
    bytearray(1000)
print("done")
"""


class AddressSpace(MemlensTest):
    def plain(self, script):
        return subprocess.run([PYTHON, script], check=True, capture_output=True, text=True).stdout

    def test_a_program_that_fills_its_limit_gets_as_much(self):
        script = self.script(FILL)
        expected = int(self.plain(script).split()[1])
        self.record([PYTHON, script])
        self.assertEqual(int(self.recording.stdout.split()[1]), expected)

    def test_recording_adds_two_megabytes(self):
        # The more where the collector lags behind: two windows are half a megabyte.
        script = self.script(SIZE)
        for options, most in ((), 2300), (("--sample", "64Ki"), 2600), (("--native",), 6700):
            with self.subTest(options):
                self.record([PYTHON, script], *options)
                added = int(self.recording.stdout) - int(self.plain(script))
                self.assertLess(added, most)  # kilobytes

    def test_the_whole_run_may_be_limited(self):
        script = self.script("print('fine')\n")
        result = subprocess.run(
            ["bash", "-c", 'ulimit -v 300000; exec "$@"', "-", MEMLENS, "run", "-o",
             self.directory + "/1.mlens", "--", PYTHON, script],
            capture_output=True, text=True, cwd=self.directory, timeout=60)
        self.assertEqual(result.stdout, "fine\n", result.stderr)
        self.assertEqual(result.returncode, 0)
        self.assertGreater(self.summary(self.directory + "/1.mlens")["allocations"], 1000)

    def test_many_threads_need_no_descriptor_to_map_more(self):
        capture = self.record([PYTHON, self.script(THREADS)])
        self.assertEqual(self.recording.stdout, "150\n")
        kept = sum(s["bytes"] for s in self.stacks("leaks", capture)["stacks"]
                   if functions(s)[:1] == ["work"])
        self.assertGreaterEqual(kept, 150 * 100_001)

    def test_processes_out_of_address_space_go_on_and_say_why(self):
        # A forked child gives back what its parent recorded with, some megabytes.
        for more in ("-1", "-4"):
            with self.subTest(more):
                self.record([PYTHON, self.script(PROCESSES), more])
                self.assertEqual(self.recording.stdout, f"{60 * 7}\n")
                self.assertRegex(self.recording.stderr,
                                 r"memlens: .*no address space .*\(a limit on it: ulimit -v")

    def run_true_in(self, kilobytes):
        result = self.memlens("run", "-o", "x.mlens", "-f", "--", PYTHON, self.script(
            "import os, resource\n"
            f"resource.setrlimit(resource.RLIMIT_AS, ({kilobytes} << 10, {kilobytes} << 10))\n"
            "os.execv('/bin/true', ['true'])\n"), code=None)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_a_process_that_cannot_attach_names_the_limit(self):
        self.assertIn("no address space for the recording's shared memory",
                      self.run_true_in(3500).stderr)

    def test_a_process_without_room_for_the_library_runs_untouched(self):
        # With it in LD_PRELOAD, the loader would end the program.
        for kilobytes in (2600, 3100, 3300):
            self.run_true_in(kilobytes)
            self.assertIn("true is allowed too little address space to be recorded (a limit on it: "
                          "ulimit -v)", self.memlens("summary", "x.mlens").stdout)

    def test_events_of_a_thread_without_memory_are_counted_as_lost(self):
        capture = self.record([PYTHON, self.script(LATE_THREAD)], "--native")
        self.assertEqual(self.recording.stdout, "done\n")
        self.assertGreaterEqual(self.summary(capture)["lost_events"], 2000)


if __name__ == "__main__":
    main()
