"""@memlens.profile: the line table of a function, when the recording ends."""
import atexit
import functools
import os
import sys

from ._recording import mark, profiled, recording

_RANGE_END = " (end)"


_functions = []  # file, name, first line, how many lines
_asked = 0  # the recording that knows of all of them
_ever_asked = False


def ask_for_tables():
    """Asks the recording, where there is one, for the functions' tables, unless it was asked before.

    They are made when it has ended, by the memlens program: nothing of that is recorded.
    """
    global _asked, _ever_asked
    now = recording()
    if now == _asked:
        return
    _asked = now
    if now:
        _ever_asked = True
        for place in _functions:
            profiled(*place)


def _last_line(code):
    """Not from the source's text, which would stay in memory."""
    last = max((_last_line(each) for each in code.co_consts if hasattr(each, "co_firstlineno")),
               default=code.co_firstlineno)
    if hasattr(code, "co_positions"):  # 3.11
        return max(last, max((end or 0 for _, end, _, _ in code.co_positions()), default=0))
    line = code.co_firstlineno
    if hasattr(code, "co_lines"):  # 3.10
        return max(last, max((number or 0 for _, _, number in code.co_lines()), default=0))
    for step in code.co_lnotab[1::2]:
        line += step if step < 128 else step - 256
        last = max(last, line)
    return last


#: Of code.co_flags: a generator, one with await, a coroutine.
_GENERATOR, _ASYNC_GENERATOR, _COROUTINE = 0x20, 0x200, 0x80


def profile(function):
    """Prints, when the recording ends, what each line of the function allocated, on stderr.

    From allocation events, and not from the process's size: what a line's calls allocated is the
    line's. Each call is a range of the recording, under the function's name (`memlens ranges`); not
    those of generators, between whose steps other code runs. Later it is
    `memlens lines CAPTURE --profiled`.
    Where nothing records, the function is as it was, and one line says so at the end.
    """
    if not callable(function) or not hasattr(function, "__code__"):
        raise TypeError("profile: %r is no Python function" % (function,))
    code = function.__code__
    name, flags = function.__qualname__, code.co_flags
    first = code.co_firstlineno
    ask_for_tables()
    _functions.append((code.co_filename, name, first, _last_line(code) - first + 1))
    if _asked:
        profiled(*_functions[-1])

    if flags & (_GENERATOR | _ASYNC_GENERATOR):
        return function
    if flags & _COROUTINE:
        @functools.wraps(function)
        async def wrapper(*arguments, **named):
            ask_for_tables()
            mark(name)
            try:
                return await function(*arguments, **named)
            finally:
                mark(name + _RANGE_END)
    else:
        @functools.wraps(function)
        def wrapper(*arguments, **named):
            ask_for_tables()
            mark(name)
            try:
                return function(*arguments, **named)
            finally:
                mark(name + _RANGE_END)
    return wrapper


def _report():
    if os.getpid() == _pid and _functions and not _ever_asked:
        print("memlens: profile: nothing was recorded; start the program with `memlens run`",
              file=sys.stderr)


_pid = os.getpid()
atexit.register(_report)
