"""memlens push: profiles to Pyroscope, Parca or what speaks as they do, by the standard library alone.

    memlens push app.mlens --url http://pyroscope:4040 --name shop
    memlens push 4711 --url http://pyroscope:4040 --name shop --every 60s --for 10s --sample 512K

Of a process, each round attaches for a while, sends what that recorded as one pprof profile, and
leaves the process as it was. Nothing is kept here or served: what cannot be sent is said and dropped.
"""
import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from ._capture import MemlensError
from ._process import recording_capture
from ._program import find_program, last_line

_TIMEOUT_SECONDS = 15
#: What Pyroscope is told about the sample types of memlens's profiles.
SAMPLE_TYPES = {
    "alloc_objects": {"units": "objects", "aggregation": "sum", "sampled": False},
    "alloc_space": {"units": "bytes", "aggregation": "sum", "sampled": False},
    "inuse_objects": {"units": "objects", "aggregation": "average", "sampled": False},
    "inuse_space": {"units": "bytes", "aggregation": "average", "sampled": False}}


class Destination:
    """Where profiles go, and as what."""

    def __init__(self, url, name, labels, headers, protocol):
        self.url = url.rstrip("/")
        self.name, self.labels, self.headers = name, labels, headers
        self.request = {"pyroscope": self._ingest, "parca": self._write_raw}[protocol]

    def send(self, profile, began, ended):
        """Raises OSError, whose text says where and why."""
        request = self.request(profile, began, ended)
        for name, value in self.headers:
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace").strip().splitlines()
            raise OSError("%s: %d %s%s" % (self.url, error.code, error.reason,
                                           ": " + said[0] if said else "")) from None
        except urllib.error.URLError as error:
            raise OSError("%s: %s" % (self.url, error.reason)) from None
        except OSError as error:
            raise OSError("%s: %s" % (self.url, error)) from None

    def _ingest(self, profile, began, ended):
        """Pyroscope's POST /ingest: multipart, the profile and what its sample types mean."""
        name = self.name
        if self.labels:
            name += "{%s}" % ",".join("%s=%s" % pair for pair in self.labels)
        query = urllib.parse.urlencode({"name": name, "from": int(began), "until": int(ended) + 1,
                                        "format": "pprof", "spyName": "memlens"})
        boundary = uuid.uuid4().hex
        parts = (("profile", "profile.pprof", "application/octet-stream", profile),
                 ("sample_type_config", "sample_type_config.json", "application/json",
                  json.dumps(SAMPLE_TYPES).encode()))
        body = b""
        for field, file_name, kind, content in parts:
            body += ('--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
                     "Content-Type: %s\r\n\r\n" % (boundary, field, file_name, kind)).encode()
            body += content + b"\r\n"
        body += ("--%s--\r\n" % boundary).encode()
        return urllib.request.Request(
            "%s/ingest?%s" % (self.url, query), data=body, method="POST",
            headers={"Content-Type": "multipart/form-data; boundary=" + boundary})

    def _write_raw(self, profile, began, ended):
        """Parca's POST /profiles/writeraw, its WriteRaw as JSON."""
        labels = [("__name__", "memory"), ("job", self.name), *self.labels]
        body = {"normalized": False, "series": [
            {"labels": {"labels": [{"name": name, "value": value} for name, value in labels]},
             "samples": [{"rawProfile": base64.b64encode(profile).decode()}]}]}
        return urllib.request.Request("%s/profiles/writeraw" % self.url, method="POST",
                                      data=json.dumps(body).encode(),
                                      headers={"Content-Type": "application/json"})


def pprof_of(capture):
    """The capture's profile, everything allocated and what is in use."""
    done = subprocess.run([find_program(), "export", capture, "--format", "pprof", "-o", "-"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise MemlensError(last_line(done.stderr, "no profile of %s" % capture))
    return done.stdout


def _is_running(pid):
    """False from the moment it gives up its memory; it becomes a zombie only some time later."""
    try:
        with open("/proc/%d/status" % pid, "rb") as file:
            return b"\nVmSize:" in file.read()
    except OSError:
        return False


def _recorded_by_others(pid):
    try:
        return recording_capture(pid)
    except MemlensError:
        return None


def _record(pid, seconds, options, stop, path):
    """A round of a process. False: it had ended before."""
    command = [find_program(), "attach", str(pid), "-q", "-f", "-o", path,
               "--duration", "%.3fs" % seconds]
    if options.sample:
        command += ["--sample", options.sample]
    command += ["--native"] if options.native else []
    command += ["--no-python-allocators"] if options.no_python_allocators else []
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             start_new_session=True)
    while child.poll() is None:
        if stop.wait(0.05):
            child.send_signal(signal.SIGINT)
            break
    said = child.communicate()[1]
    if child.returncode != 0 and not _is_running(pid):
        return False
    if child.returncode not in (0, -signal.SIGINT, 128 + signal.SIGINT):
        raise MemlensError(last_line(said, "memlens attach ended with %d" % child.returncode))
    return True


def _push_process(pid, destination, options, stop):
    """Rounds until the process ends, or --count or a signal says so."""
    sent, rounds = 0, 0
    with tempfile.TemporaryDirectory(prefix="memlens-push-") as folder:
        path = os.path.join(folder, "round.mlens")
        while not stop.is_set() and _is_running(pid):
            began = time.time()
            recording = _recorded_by_others(pid)
            if recording:
                # Somebody records it already: what that has so far.
                if stop.wait(options.seconds):
                    break
            elif not _record(pid, options.seconds, options, stop, path):
                break
            if recording or os.path.exists(path):
                try:
                    destination.send(pprof_of(recording or path), began, time.time())
                    sent += 1
                except (OSError, MemlensError) as error:
                    print("memlens push: %s" % error, file=sys.stderr, flush=True)
            rounds += 1
            if options.count and rounds >= options.count:
                break
            stop.wait(max(0.0, began + options.every - time.time()))
    if not rounds:
        raise MemlensError("push: no process %d" % pid)
    return 0 if sent else 1


def _seconds(text):
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(unit):
            return float(text[:-len(unit)]) * factor
    return float(text)


def _pair(separator):
    def pair(text):
        name, found, value = text.partition(separator)
        if not found or not name.strip():
            raise argparse.ArgumentTypeError("%r is not NAME%sVALUE" % (text, separator))
        return name.strip(), value.strip()
    return pair


def _parser():
    parser = argparse.ArgumentParser(
        prog="memlens push", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Sends profiles in pprof format to Pyroscope, Parca or what speaks as they do.",
        epilog="Of a process, each round records it for a while, as `memlens attach` does, and sends "
               "that;\nin between it is not recorded. Where it is recorded already, what that has so "
               "far is sent.\n\nExamples:\n"
               "  memlens push app.mlens --url http://localhost:4040 --name shop\n"
               "  memlens push 4711 --url http://localhost:4040 --name shop --every 60s --for 10s "
               "--sample 512K")
    parser.add_argument("target", metavar="PID|CAPTURE")
    parser.add_argument("--url", required=True, help="of the server: http://localhost:4040")
    parser.add_argument("--name", required=True, help="what the profiles are called there")
    parser.add_argument("--to", choices=("pyroscope", "parca"), default="pyroscope",
                        help="whose interface: POST /ingest or /profiles/writeraw (pyroscope)")
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", type=_pair("="), default=[],
                        help="told apart by; may be given again")
    parser.add_argument("--header", metavar="NAME:VALUE", action="append", type=_pair(":"),
                        default=[], help="of each request: Authorization, X-Scope-OrgID, ...")
    parser.add_argument("--every", metavar="TIME", type=_seconds, default=60.0,
                        help="from one round to the next: 30s, 5m (60s)")
    parser.add_argument("--for", metavar="TIME", type=_seconds, dest="seconds",
                        help="how long each round records (10s, or as long as --every)")
    parser.add_argument("--count", metavar="N", type=int, default=0, help="so many rounds (no end)")
    parser.add_argument("--sample", metavar="SIZE", help="samples only, as of `memlens attach`")
    parser.add_argument("--native", action="store_true", help="native frames as well")
    parser.add_argument("--no-python-allocators", action="store_true",
                        help="only malloc and its like")
    return parser


def push(arguments):
    """`memlens push`; its exit code. Raises MemlensError and OSError."""
    options = _parser().parse_args(arguments)
    if options.seconds is None:
        options.seconds = min(10.0, options.every)
    if not 0 < options.seconds <= options.every:
        raise MemlensError("push: --for is more than nothing and at most --every")
    destination = Destination(options.url, options.name, options.label, options.header, options.to)
    if options.target.isdigit() and not os.path.exists(options.target):
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        return _push_process(int(options.target), destination, options, stop)
    from ._capture import read
    ended = os.stat(options.target).st_mtime
    began = ended - read(options.target).summary["duration_seconds"]
    destination.send(pprof_of(options.target), began, ended)
    return 0
