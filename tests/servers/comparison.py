"""One server, run twice, with memlens and without: what differs, in words."""
import os
import shutil
import subprocess
import tempfile
import time


class Outcome:
    def __init__(self, answers, code, seconds, stderr):
        self.answers, self.code, self.seconds, self.stderr = answers, code, seconds, stderr


def run_server(kind, prefix=(), time_limit_seconds=120):
    """Starts the server behind `prefix` (a command line), loads and stops it."""
    directory = tempfile.mkdtemp(prefix="memlens-server-")
    try:
        server = kind(directory)
        server.prepare()
        environment = dict(os.environ, **kind.environment)
        with tempfile.TemporaryFile("w+", errors="replace") as stderr:
            start = time.monotonic()
            process = subprocess.Popen([*prefix, *server.as_user(server.command)], cwd=directory,
                                       env=environment, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=stderr)
            answers = None
            try:
                if server.listens:
                    while not server.is_ready():
                        if process.poll() is not None or time.monotonic() - start > time_limit_seconds:
                            break
                        time.sleep(0.05)
                    answers = server.load() if process.poll() is None else None
                    seconds = time.monotonic() - start
                    process.send_signal(kind.signal)
                    process.wait(time_limit_seconds)
                else:
                    process.wait(time_limit_seconds)
                    seconds = time.monotonic() - start
                    answers = server.load()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            stderr.seek(0)
            return Outcome(answers, process.returncode, seconds, stderr.read())
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def differences(kind, plain, recorded):
    """Sentences; none: the clients and whoever stopped it noticed nothing."""
    found = []
    if plain.answers is None or recorded.answers is None:
        found.append("did not come up " + ("by itself" if plain.answers is None else "with memlens") +
                     ": " + (plain if plain.answers is None else recorded).stderr[-500:])
    elif plain.answers != recorded.answers:
        found.append("clients were answered differently")
    # A program killed by the signal ends memlens with 128 + its number.
    def code_of(outcome):
        return outcome.code if outcome.code >= 0 else 128 - outcome.code
    if code_of(plain) != code_of(recorded):
        found.append(f"exit code {code_of(recorded)} with memlens, {code_of(plain)} without")
    return found
