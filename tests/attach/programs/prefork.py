"""A master, three workers that it forked, and a client of theirs. "ready", then all four numbers.

Whoever ends before the master is told to, ends it with 1 and a line on stderr.
"""
import json
import os
import signal
import socket
import sys


def serve(listening):
    while True:
        connection, _ = listening.accept()
        with connection, connection.makefile("rwb") as stream:
            for line in stream:
                rows = [{"n": i, "text": "y" * (i % 90)} for i in range(int(line))]
                stream.write(json.dumps(rows).encode() + b"\n")
                stream.flush()


def ask(address):
    n = 0
    while True:
        with socket.create_connection(address) as connection, connection.makefile("rwb") as stream:
            for _ in range(20):
                n += 1
                stream.write(b"%d\n" % (n % 300))
                stream.flush()
                assert len(json.loads(stream.readline())) == n % 300


def child(work, *arguments):
    """In the group of the first of them, so that one call ends them all: none sees another end."""
    pid = os.fork()
    os.setpgid(pid, group or pid)
    if pid == 0:
        try:
            work(*arguments)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return pid


listening = socket.create_server(("127.0.0.1", 0), backlog=64)
group = 0
workers = [group := child(serve, listening)]
workers += [child(serve, listening) for _ in range(2)]
clients = [child(ask, listening.getsockname()) for _ in range(2)]
print("ready", flush=True)
print(os.getpid(), *workers, flush=True)


def stop(*_):
    os.killpg(group, signal.SIGKILL)
    os._exit(0)


signal.signal(signal.SIGTERM, stop)
pid, status = os.wait()
print(f"process {pid} ended with {status}", file=sys.stderr, flush=True)
os.killpg(group, signal.SIGKILL)
os._exit(1)
