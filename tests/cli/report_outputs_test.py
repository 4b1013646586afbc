"""Where reports go: full devices, closed pipes, files that are there already, names that are orders to a
terminal. Each has one outcome, told in one line."""
import json
import os
import signal
import subprocess

from memlens_testing import MEMLENS, MemlensTest, main

REPORTS = (["summary"], ["summary", "--json"], ["peak"], ["peak", "--json"], ["leaks"], ["temporary"],
           ["allocations"], ["growing"], ["tree"], ["dump"])

# Escapes of C0 and C1, a right-to-left override, an isolate, an invisible tag, bytes that are no UTF-8.
HOSTILE = b"a\x1b[31m\xc2\x9b31m\xe2\x80\xae\xe2\x81\xa6\xf3\xa0\x81\x81\r\xff\nb"


def orders(text):
    """The characters of a text that a terminal takes for orders."""
    return {c for c in text.replace("\n", "")
            if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or c in "\u061c\u200e\u200f\u2028\u2029"
            or 0x202a <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069
            or 0xe0000 <= ord(c) <= 0xe007f}


class Outputs(MemlensTest):
    def setUp(self):
        super().setUp()
        script = self.script("import threading\nx = [bytearray(1000) for i in range(2000)]\n")
        self.capture = os.path.join(self.directory, "c.mlens")
        self.memlens("run", "-q", "-o", self.capture, script)

    def test_a_full_device_is_an_error_of_one_line(self):
        for arguments in REPORTS:
            with self.subTest(arguments=arguments), open("/dev/full", "w") as full:
                result = subprocess.run([MEMLENS, arguments[0], self.capture, *arguments[1:]],
                                        stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr, "memlens: could not write the report to standard "
                                 "output\n")
        result = self.memlens("flamegraph", self.capture, "-f", "-o", "/dev/full", code=1)
        self.assertEqual(result.stderr,
                         "memlens: /dev/full: cannot be written: No space left on device\n")
        self.assertFalse(os.path.isfile("/dev/full"))

    def test_a_closed_output_is_an_error_of_one_line(self):
        for arguments in REPORTS:
            with self.subTest(arguments=arguments):
                words = " ".join([MEMLENS, arguments[0], self.capture, *arguments[1:]])
                result = subprocess.run(["sh", "-c", words + " >&-"], stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_a_reader_that_has_seen_enough_ends_the_report_quietly(self):
        process = subprocess.Popen([MEMLENS, "dump", self.capture], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.close()
        with process.stderr as errors:
            self.assertEqual(errors.read(), "")
        self.assertEqual(process.wait(), -signal.SIGPIPE)

    def test_what_is_no_capture_is_refused_in_one_line(self):
        os.mkfifo(os.path.join(self.directory, "pipe"))
        os.mkdir(os.path.join(self.directory, "folder"))
        open(os.path.join(self.directory, "empty"), "w").close()
        for path, reason in (("folder", "is a directory, not a memlens capture"),
                             ("pipe", "is not a regular file"), ("empty", "the file is empty"),
                             ("missing", "No such file or directory"),
                             ("/dev/null", "is not a regular file"), ("script.py", "not a memlens")):
            for command in ("summary", "peak", "tree", "growing", "flamegraph", "dump"):
                result = self.memlens(command, path, code=1)
                self.assertIn(reason, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
                self.assertEqual(result.stdout, "")
        with open(self.capture, "rb") as capture:
            self.memlens("summary", "/dev/stdin", stdin=capture)
        result = self.memlens("summary", "/dev/stdin", stdin=subprocess.PIPE, code=1)
        self.assertIn("is not a regular file", result.stderr)

    def test_a_page_touches_nothing_but_its_own_name(self):
        part = os.path.join(self.directory, "page.html.part")
        victim = os.path.join(self.directory, "victim")
        with open(victim, "w") as file:
            file.write("precious")
        os.symlink(victim, part)
        self.memlens("flamegraph", self.capture, "-o", "page.html")
        os.remove(part)
        with open(part, "w") as file:
            file.write("mine")
        self.memlens("flamegraph", self.capture, "-f", "-o", "page.html")
        for path, content in ((victim, "precious"), (part, "mine")):
            with open(path) as file:
                self.assertEqual(file.read(), content)
        left = sorted(name for name in os.listdir(self.directory) if "page" in name)
        self.assertEqual(left, ["page.html", "page.html.part"])
        result = self.memlens("flamegraph", self.capture, "-o", "page.html", code=1)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.memlens("flamegraph", self.capture, "-f", "-o", self.directory, code=1)

    def test_no_name_gives_a_terminal_orders(self):
        directory = os.path.join(os.fsencode(self.directory), HOSTILE)
        os.mkdir(directory)
        script = os.path.join(directory, HOSTILE + b".py")
        with open(script, "wb") as file:
            file.write(b"import threading\nt = threading.Thread(target=lambda: bytearray(5000))\n"
                       b"t.start(); t.join()\nkept = [bytearray(100) for i in range(1000)]\n")
        capture = os.path.join(directory, HOSTILE + b".mlens")
        texts = []
        for arguments in ([b"run", b"-o", capture, script, HOSTILE], [b"summary", capture],
                          [b"peak", capture], [b"leaks", capture], [b"temporary", capture],
                          [b"allocations", capture], [b"growing", capture], [b"tree", capture],
                          [b"dump", capture], [b"summary", capture, b"--json"],
                          [b"peak", capture, b"--json"], [b"summary", capture + b"-missing"],
                          [b"run", b"-o", capture, b"true"], [b"run", HOSTILE], [HOSTILE],
                          [b"summary", b"--" + HOSTILE], [b"run", b"--" + HOSTILE, b"true"],
                          [b"run", b"-o", directory + b"/no/" + HOSTILE, b"true"],
                          [b"flamegraph", capture, b"-o", directory]):
            result = subprocess.run([MEMLENS, *arguments], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, cwd=self.directory)
            for stream in (result.stdout, result.stderr):
                text = stream.decode("utf8")  # all of it is text
                self.assertEqual(orders(text), set(), (arguments[0], text[:500]))
                texts.append(text)
        self.assertTrue(any("31m" in text for text in texts))

    def test_json_still_holds_the_names_as_they_are(self):
        odd = "a\x1b\u009b\u202e\U000E0041z"
        script = self.script("x = [bytearray(100) for i in range(1000)]\n", odd + ".py")
        capture = os.path.join(self.directory, "odd.mlens")
        self.memlens("run", "-q", "-o", capture, script)
        command = json.loads(self.memlens("summary", capture, "--json").stdout)["command"]
        self.assertEqual(os.path.basename(command[-1]), odd + ".py")


if __name__ == "__main__":
    main()
