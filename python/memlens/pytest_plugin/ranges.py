"""What `memlens ranges` says of the recording that goes on."""
import json
import os

from .._capture import MemlensError, _run
from .._process import collector_pid
from .sections import without_runner

__all__ = ["MemlensError", "ranges_of_file", "ranges_of_session", "range_of_test"]


def range_of_test(name, stacks, thread=None):
    """The last range of this process with that name, with its heaviest stacks (0: all).

    Waits until what was recorded is in the file; a few milliseconds, and it reads no more of the
    capture than the range.
    """
    options = ["--thread", str(thread)] if thread is not None else []
    report = _run("ranges", str(os.getpid()), name, "--last", "--json", "--stacks", str(stacks),
                  *options)
    return dict(_prepared(report)["ranges"][0], capture=report["capture"])


def ranges_of_session(detailed=0, stacks=0):
    """All ranges of all processes, what peaked highest first; `capture` is the file.

    The first `detailed` have their heaviest stacks (0: all). One reading of the capture for all.
    """
    return _all_ranges(str(collector_pid() or os.getpid()), detailed, stacks)


def ranges_of_file(path, detailed=0, stacks=0):
    """Those of a capture, or of what ranges_of_session() was written to as JSON."""
    with open(path, "rb") as file:
        if file.read(1) == b"{":
            file.seek(0)
            return json.loads(file.read().decode("utf-8"))
    return _all_ranges(path, detailed, stacks)


def _all_ranges(target, detailed, stacks):
    options = ["--stacks", str(stacks), "--stacks-of", str(detailed)] if detailed else []
    return _prepared(_run("ranges", target, "--json", "-n", "0", *options))


def _prepared(report):
    for each in report["ranges"]:
        for view in ("peak", "leaks"):
            for stack in each.get(view, ()):
                stack["frames"] = without_runner(stack["frames"])
    return report
