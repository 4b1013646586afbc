"""A terminal for programs that draw on one: a pty, and of the sequences that move and erase what
`memlens live` sends. Wraps and scrolls nothing: what goes beyond the edge is an error of the
program's, and kept as `overflows`."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

SEQUENCE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


class Screen:
    def __init__(self, command, columns=80, rows=24, **options):
        self.columns, self.rows = columns, rows
        self.lines = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.overflows = []
        self.modes = set()
        self.pending = ""
        self.undecoded = b""
        master, slave = pty.openpty()
        self.master = master
        self.set_size(columns, rows)
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8")
        environment.pop("COLUMNS", None)
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        **options)
        self.slave = slave

    def set_size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.set_size(columns, rows)

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)

    def send(self, keys):
        os.write(self.master, keys.encode())

    def wait_for(self, wanted, seconds=60):
        """Until the screen's text has it (a string or a regular expression); returns the text."""
        end = time.monotonic() + seconds
        while not re.search(wanted, self.text()):
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError(f"{wanted!r} never came; the screen is\n{self.text()}")
        return self.text()

    def read(self, seconds):
        """Takes what the program has written. False: nothing came, and nothing will."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        if not data:
            return False
        text = self.undecoded + data
        for cut in range(4):  # the last character may not be whole
            try:
                decoded = text[:len(text) - cut].decode()
            except UnicodeDecodeError:
                continue
            self.undecoded = text[len(text) - cut:]
            self.feed(decoded)
            return True
        raise AssertionError(f"not UTF-8: {text[-40:]!r}")

    def feed(self, text):
        text = self.pending + text
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self.put(text[at])
                at += 1
                continue
            found = SEQUENCE.match(text, at)
            if found is None:
                if len(text) - at < 16:
                    break  # the rest of it comes
                raise AssertionError(f"unknown sequence {text[at:at + 16]!r}")
            self.sequence(found)
            at = found.end()
        self.pending = text[at:]

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif self.row >= self.rows or self.column >= self.columns:
            self.overflows.append((self.row, self.column, character))
        else:
            self.lines[self.row][self.column] = character
            self.column += 1

    def sequence(self, found):
        private, numbers, letter = found.groups()
        if private:
            change = self.modes.add if letter == "h" else self.modes.discard
            change(numbers)
        elif letter == "H":
            self.row = self.column = 0
        elif letter == "K":
            if self.row < self.rows:
                self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J":
            if numbers == "2":
                self.lines = [[" "] * self.columns for _ in range(self.rows)]
            elif self.row < self.rows:
                self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
                for row in range(self.row + 1, self.rows):
                    self.lines[row] = [" "] * self.columns
        elif letter != "m":
            raise AssertionError(f"unknown sequence {found.group(0)!r}")

    def end(self, seconds=60):
        """Waits for the program's end and returns its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                self.process.send_signal(signal.SIGKILL)
                raise AssertionError("the program does not end; the screen is\n" + self.text())
            self.read(0.1)
        while self.read(0):
            pass
        return self.process.returncode

    def settings_are_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
