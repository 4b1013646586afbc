"""@memlens.profile: the line table of a function, at exit."""
import atexit
import functools
import inspect
import os
import sys

from ._recording import enabled, mark
from ._sizes import format_size

_profiled = {}  # code object: the function
_RANGE_END = " (end)"


def profile(function):
    """Prints, when the program ends, what each line of the function allocated, on stderr.

    From allocation events, and not from the process's size: what a line's calls allocated is the
    line's. Each call is a range of the recording, under the function's name (`memlens ranges`); not
    those of generators, between whose steps other code runs.
    Where nothing records, the function is as it was, and one line says so at the end.
    """
    if not callable(function) or not hasattr(function, "__code__"):
        raise TypeError("profile: %r is no Python function" % (function,))
    _profiled[function.__code__] = function
    name = function.__qualname__

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return function
    if inspect.iscoroutinefunction(function):
        @functools.wraps(function)
        async def profiled(*arguments, **named):
            mark(name)
            try:
                return await function(*arguments, **named)
            finally:
                mark(name + _RANGE_END)
    else:
        @functools.wraps(function)
        def profiled(*arguments, **named):
            mark(name)
            try:
                return function(*arguments, **named)
            finally:
                mark(name + _RANGE_END)
    return profiled


def line_table(function, capture, pid=None):
    """Rows of the function's lines: (number, text, peak, still allocated, allocated, blocks).

    Each stack counts at the innermost line of the function that is on it.
    """
    code = function.__code__
    lines, first = inspect.getsourcelines(function)
    name = function.__qualname__
    sums = {}
    for column, view in enumerate(("peak", "leaks", "allocations")):
        # One by one: this is recorded as well, and all of them would be the program's peak.
        for record in capture.iterate(view, pid=pid):
            for frame in record.frames:
                if (frame.kind == "python" and frame.file == code.co_filename
                        and first <= frame.line < first + len(lines)
                        and frame.function in (name, code.co_name)):
                    row = sums.setdefault(frame.line, [0, 0, 0, 0])
                    row[column] += record.bytes
                    if view == "allocations":
                        row[3] += record.blocks
                    break
    return [(number, text.rstrip("\n"), *sums.get(number, (0, 0, 0, 0)))
            for number, text in enumerate(lines, first)]


def print_line_table(function, capture, pid=None, file=None):
    file = file or sys.stderr
    print("Filename: %s\n" % function.__code__.co_filename, file=file)
    form = "%6s  %12s  %12s  %12s  %11s   %s"
    heading = form % ("Line #", "At the peak", "Increment", "Allocated", "Occurrences",
                      "Line Contents")
    print(heading, "=" * len(heading), sep="\n", file=file)
    for number, text, peak, left, allocated, blocks in line_table(function, capture, pid):
        sizes = [format_size(size) if blocks else "" for size in (peak, left, allocated)]
        print((form % (number, *sizes, blocks or "", text)).rstrip(), file=file)
    print(file=file)


def _report():
    if not _profiled or os.getpid() != _pid:
        return
    if not enabled():
        print("memlens: profile: nothing was recorded; start the program with `memlens run`",
              file=sys.stderr)
        return
    from ._capture import MemlensError
    from ._process import running_capture
    try:
        capture = running_capture()
        for function in _profiled.values():
            print_line_table(function, capture, os.getpid())
    except (MemlensError, OSError) as error:
        print("memlens: profile: %s" % error, file=sys.stderr)


_pid = os.getpid()
atexit.register(_report)
