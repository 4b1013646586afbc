"""`memlens push` against a receiver of the test's own, on loopback, that takes the requests apart.

The documented formats: Pyroscope's POST /ingest (multipart/form-data with the parts "profile" and
"sample_type_config", name, from, until and format in the query) and Parca's POST /profiles/writeraw.
"""
import base64
import email.parser
import email.policy
import gzip
import http.server
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main
from protobuf_reader import message

PYTHON = "/usr/bin/python3"
PROGRAM = """
import time
kept = []
def keep():
    kept.append(bytearray(1_000_000))
print("ready", flush=True)
while True:
    keep()
    time.sleep(0.01)
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.title(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers, body))
        self.send_response(self.server.answer)
        self.end_headers()
        self.wfile.write(b"no such tenant\n" if self.server.answer != 200 else b"{}")

    def log_message(self, *_):
        pass


def strings_of(profile):
    return [text.decode() for text in message(gzip.decompress(profile))[6]]


class Push(MemlensTest):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.server.requests, self.server.answer = [], 200
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.environment = {**os.environ, "PYTHONPATH": os.path.join(SOURCE, "python"),
                            "MEMLENS_PROGRAM": MEMLENS}
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            self.environment.pop(name, None)

    def push(self, *arguments, code=0):
        result = subprocess.run([PYTHON, "-m", "memlens", "push", *map(str, arguments)],
                                env=self.environment, cwd=self.directory, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def parts(self, headers, body):
        head = ("Content-Type: %s\r\n\r\n" % headers["Content-Type"]).encode()
        parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        self.assertTrue(parsed.is_multipart())
        return {part.get_param("name", header="content-disposition"):
                part.get_payload(decode=True) for part in parsed.iter_parts()}

    def ingested(self, request):
        path, headers, body = request
        url = urllib.parse.urlsplit(path)
        self.assertEqual(url.path, "/ingest")
        query = dict(urllib.parse.parse_qsl(url.query))
        self.assertEqual(query["format"], "pprof")
        self.assertLess(int(query["from"]), int(query["until"]))
        parts = self.parts(headers, body)
        self.assertEqual(set(parts), {"profile", "sample_type_config"})
        return query, parts, headers

    def test_a_capture_goes_to_pyroscope_as_its_interface_is_documented(self):
        capture = self.record(["python3", "-S", self.script("kept = bytearray(3_000_000)\n")])
        self.push(capture, "--url", self.url, "--name", "shop", "--label", "pod=a-1",
                  "--header", "X-Scope-OrgID: me")
        request, = self.server.requests
        query, parts, headers = self.ingested(request)
        self.assertEqual(query["name"], "shop{pod=a-1}")
        self.assertEqual(headers["X-Scope-Orgid"], "me")
        strings = strings_of(parts["profile"])
        config = json.loads(parts["sample_type_config"])
        for name in ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space"):
            self.assertIn(name, strings)
            self.assertIn(config[name]["units"], ("bytes", "objects"))
        self.assertIn("<module>", strings)

    def test_the_program_hands_its_command_over_to_the_package(self):
        capture = self.record(["python3", "-S", self.script("kept = bytearray(3_000_000)\n")])
        self.memlens("push", capture, "--url", self.url, "--name", "shop", env=self.environment)
        self.assertEqual(len(self.server.requests), 1)
        self.assertIn("--every", self.memlens("push", "--help", env=self.environment).stdout)

    def test_parca_gets_its_own_request(self):
        capture = self.record(["python3", "-S", self.script("kept = bytearray(3_000_000)\n")])
        self.push(capture, "--url", self.url + "/", "--name", "shop", "--to", "parca",
                  "--label", "pod=a-1")
        (path, headers, body), = self.server.requests
        self.assertEqual((path, headers["Content-Type"]), ("/profiles/writeraw", "application/json"))
        series, = json.loads(body)["series"]
        labels = {each["name"]: each["value"] for each in series["labels"]["labels"]}
        self.assertEqual(labels, {"__name__": "memory", "job": "shop", "pod": "a-1"})
        self.assertIn("inuse_space",
                      strings_of(base64.b64decode(series["samples"][0]["rawProfile"])))

    def start(self, *options):
        """A program of which memlens records nothing yet, or all from its start on."""
        process = subprocess.Popen([MEMLENS, "run", *options, "--python", PYTHON,
                                    self.script(PROGRAM)], cwd=self.directory,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_a_dormant_process_is_recorded_in_rounds_and_runs_on(self):
        process = self.start("--dormant")
        self.push(process.pid, "--url", self.url, "--name", "shop", "--every", "1s", "--for", "500ms",
                  "--count", "2", "--sample", "64Ki")
        self.assertEqual(len(self.server.requests), 2)
        for request in self.server.requests:
            _, parts, _ = self.ingested(request)
            self.assertIn("keep", strings_of(parts["profile"]))
        self.assertIsNone(process.poll())
        # Nothing of it stays.
        self.assertEqual([name for name in os.listdir(self.directory) if name.endswith(".mlens")], [])

    def test_what_somebody_records_already_is_sent_as_far_as_it_goes(self):
        process = self.start("--dormant")
        recording = subprocess.Popen([MEMLENS, "attach", str(process.pid), "-o", "own.mlens"],
                                     cwd=self.directory, stderr=subprocess.PIPE, text=True)
        self.addCleanup(recording.stderr.close)
        self.addCleanup(recording.wait)
        self.addCleanup(recording.terminate)
        self.assertIn("recording into", recording.stderr.readline())
        self.push(process.pid, "--url", self.url, "--name", "shop", "--for", "300ms", "--count", "1")
        request, = self.server.requests
        _, parts, _ = self.ingested(request)
        self.assertIn("keep", strings_of(parts["profile"]))
        self.assertIsNone(recording.poll())

    def test_it_ends_with_a_signal_and_with_the_process(self):
        process = self.start("--dormant")
        command = [PYTHON, "-m", "memlens", "push", str(process.pid), "--url", self.url, "--name", "x",
                   "--every", "300ms", "--for", "200ms"]
        for end in (lambda pushing: pushing.send_signal(signal.SIGTERM),
                    lambda pushing: process.kill()):
            self.server.requests.clear()
            pushing = subprocess.Popen(command, env=self.environment, cwd=self.directory,
                                       stderr=subprocess.PIPE)
            self.addCleanup(pushing.stderr.close)
            deadline = time.monotonic() + 60
            while not self.server.requests and time.monotonic() < deadline:
                time.sleep(0.05)
            end(pushing)
            self.assertEqual(pushing.wait(60), 0, pushing.stderr.read())

    def test_what_cannot_be_sent_is_one_line(self):
        capture = self.record(["python3", "-S", self.script("kept = bytearray(3_000_000)\n")])
        self.server.answer = 401
        said = self.push(capture, "--url", self.url, "--name", "shop", code=1)
        self.assertRegex(said, r"^memlens: http://127.0.0.1:\d+: 401 Unauthorized: no such tenant\n$")
        said = self.push(capture, "--url", "http://127.0.0.1:1", "--name", "shop", code=1)
        self.assertRegex(said, r"^memlens: http://127.0.0.1:1: .*refused\n$")
        said = self.push("4194303", "--url", self.url, "--name", "shop", code=1)
        self.assertRegex(said, r"^memlens: push: no process 4194303\n$")


if __name__ == "__main__":
    main()
