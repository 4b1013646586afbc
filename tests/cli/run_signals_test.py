"""Signals: what the terminal sends, what is sent to memlens alone, and how a recording is ended."""
import os
import pty
import select
import signal
import subprocess
import time

from memlens_testing import MEMLENS, MemlensTest, main

# Prints what it is sent, one line each.
LISTENER = """
import os, signal, sys, time
def tell(number, frame):
    os.write(1, (signal.Signals(number).name + "\\n").encode())
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
    signal.signal(getattr(signal, name), tell)
os.write(1, b"ready\\n")
end = time.monotonic() + {seconds}
while time.monotonic() < end: time.sleep(0.05)
"""


class Terminal:
    """memlens in a terminal of its own."""

    def __init__(self, *arguments, directory):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A shell starts what runs in the background without it, and so this test, perhaps.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(directory)
            os.execv(MEMLENS, [MEMLENS, "run", *arguments])
        self.text = ""

    def read_until(self, text, count=1, timeout_seconds=20):
        end = time.monotonic() + timeout_seconds
        while self.text.count(text) < count:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"{text!r} did not come; so far: {self.text!r}")
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"{text!r} did not come before the end: {self.text!r}")

    def send(self, data):
        os.write(self.fd, data)

    def finish(self):
        try:
            while True:
                data = os.read(self.fd, 65536)
                if not data:
                    break
                self.text += data.decode(errors="replace")
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class SentToMemlens(MemlensTest):
    def test_termination_hangup_and_interrupt_are_forwarded_once(self):
        script = self.script(LISTENER.format(seconds=1.5))
        process = subprocess.Popen([MEMLENS, "run", "-q", "-o", "s.mlens", script],
                                   cwd=self.directory, stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            process.send_signal(number)
            time.sleep(0.15)
        output, _ = process.communicate(timeout=30)
        self.assertEqual(output.split(), ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
        self.assertEqual(process.returncode, 0)

    def test_a_program_that_dies_of_a_forwarded_signal_is_recorded_to_the_end(self):
        process = subprocess.Popen([MEMLENS, "run", "-q", "-o", "s.mlens", "sh", "-c",
                                    "echo ready; exec sleep 100"], cwd=self.directory,
                                   stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.terminate()
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertTrue(self.summary(os.path.join(self.directory, "s.mlens"))["complete"])

    def test_an_interrupt_that_is_sent_to_the_group_too_is_one(self):
        script = self.script(LISTENER.format(seconds=1.5))
        process = subprocess.Popen([MEMLENS, "run", "-q", "-o", "s.mlens", script],
                                   cwd=self.directory, stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)  # two that wait at once would be one
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)
        capture = os.path.join(self.directory, "s.mlens")
        self.assertNotIn("ended early", self.memlens("summary", capture).stdout)
        self.assertGreater(self.summary(capture)["duration_seconds"], 1.4)

    def test_ignored_signals_stay_ignored(self):
        process = subprocess.Popen(["sh", "-c", f"trap '' HUP; exec {MEMLENS} run -q sh -c "
                                    "'kill -HUP $PPID $$; echo alive'"], cwd=self.directory,
                                   stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.communicate(timeout=30)[0], "alive\n")


class InATerminal(MemlensTest):
    def test_one_interrupt_is_the_programs_alone(self):
        script = self.script(LISTENER.format(seconds=1.2))
        terminal = Terminal("-o", "t.mlens", script, directory=self.directory)
        terminal.read_until("ready")
        terminal.send(b"\x03")
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.text.count("SIGINT"), 1)
        self.assertTrue(self.summary(os.path.join(self.directory, "t.mlens"))["complete"])

    def test_a_program_that_dies_of_the_interrupt_is_recorded_to_the_end(self):
        terminal = Terminal("-o", "t.mlens", "-c", "import time; print('ready', flush=True); "
                            "time.sleep(100)", directory=self.directory)
        terminal.read_until("ready")
        terminal.send(b"\x03")
        self.assertEqual(terminal.finish(), 128 + signal.SIGINT)
        self.assertIn("KeyboardInterrupt", terminal.text)
        self.assertIn("next: memlens summary", terminal.text)

    def test_a_second_interrupt_ends_the_recording(self):
        script = self.script(LISTENER.format(seconds=20))
        terminal = Terminal("-o", "t.mlens", script, directory=self.directory)
        terminal.read_until("ready")
        terminal.send(b"\x03")
        terminal.read_until("SIGINT")
        time.sleep(0.3)  # two at once count as one
        started = time.monotonic()
        terminal.send(b"\x03")
        terminal.read_until("next: memlens summary")
        self.assertLess(time.monotonic() - started, 10)
        os.close(terminal.fd)  # hangs the listener's terminal up
        os.waitpid(terminal.pid, 0)
        self.assertTrue(self.summary(os.path.join(self.directory, "t.mlens"))["complete"])

    def test_an_interrupt_after_the_program_ended_ends_the_wait_for_its_daemon(self):
        terminal = Terminal("-o", "t.mlens", "sh", "-c",
                            "setsid sh -c 'while :; do sleep 0.1; done' >/dev/null 2>&1 & "
                            "echo $! > daemon; echo started", directory=self.directory)
        terminal.read_until("started")
        time.sleep(0.5)
        with open(os.path.join(self.directory, "daemon")) as file:
            daemon = int(file.read())
        self.addCleanup(os.kill, daemon, signal.SIGKILL)
        terminal.send(b"\x03")
        self.assertEqual(terminal.finish(), 0)
        self.assertIn("ended early", terminal.text)
        self.assertTrue(self.summary(os.path.join(self.directory, "t.mlens"))["complete"])

    def test_a_stopped_program_stops_memlens_and_both_go_on(self):
        shell = self.need("bash")
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execv(shell, [shell, "--norc", "-i"])
        terminal = Terminal.__new__(Terminal)
        terminal.pid, terminal.fd, terminal.text = pid, fd, ""
        terminal.send(f"{MEMLENS} run -q -o z.mlens sh -c 'echo up; read x; echo got $x'\n".encode())
        terminal.read_until("up\r\n")
        terminal.send(b"\x1a")
        terminal.read_until("Stopped")
        terminal.send(b"fg\n")
        terminal.read_until("read x", count=2)
        terminal.send(b"word\n")
        terminal.read_until("got word")
        terminal.send(b"exit 5\n")
        self.assertEqual(terminal.finish(), 5)


if __name__ == "__main__":
    main()
