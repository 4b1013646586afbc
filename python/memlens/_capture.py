"""Captures, through the JSON of the memlens program."""
import json
import os
import subprocess
from collections import namedtuple

from ._program import MemlensError, find_program, last_line

VIEWS = ("peak", "leaks", "temporary", "allocations")

#: function, file (empty: unknown), line (0: unknown), kind ("python" or "native"), module, source.
Frame = namedtuple("Frame", "function file line kind module source")
#: One stack of a view: bytes, blocks, pid, thread and frames, innermost first.
Record = namedtuple("Record", "bytes blocks pid thread frames")
#: A named moment: seconds, name.
Mark = namedtuple("Mark", "seconds name")
#: A point of memory over time.
MemoryPoint = namedtuple("MemoryPoint", "seconds bytes resident_bytes")
#: One stack of two captures.
Change = namedtuple("Change", "old_bytes new_bytes delta_bytes old_blocks new_blocks delta_blocks "
                              "frames")


def _frames(stack):
    return tuple(Frame(f["function"], f["file"], f["line"], f["kind"], f.get("module", ""),
                       f.get("source", "")) for f in stack["frames"])


def _error(stderr, code):
    return MemlensError(last_line(stderr, "exit code %d" % code))


def _run(*arguments):
    result = subprocess.run([find_program(), *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode != 0:
        raise _error(result.stderr, result.returncode)
    return json.loads(result.stdout.decode("utf-8"))


def _records(arguments):
    from ._stream import stacks
    for s in stacks(arguments, _error):
        yield Record(s["bytes"], s["blocks"], s["pid"], s["thread"], _frames(s))


def read(path):
    """Opens a capture. Raises MemlensError when it is none, OSError when it is not there."""
    return Capture(path)


class Capture:
    """A capture file. Reports are computed when they are asked for, and not kept.

    summary: what `memlens summary --json` says (docs/json.md). Sizes are in bytes, as the program asked
    for them; times in seconds since the recording began. What the memlens program cannot do is a
    MemlensError with its words.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        with open(self.path, "rb"):
            pass
        self.summary = _run("summary", self.path, "--json")

    def __repr__(self):
        return "<memlens.Capture %r: peak %d bytes>" % (self.path, self.summary["peak_bytes"])

    @property
    def complete(self):
        """False: the recording ended early."""
        return self.summary["complete"]

    @property
    def marks(self):
        """Moments named by the program, by `memlens mark` or `run --mark-every`, by time."""
        return [Mark(m["seconds"], m["name"]) for m in self.summary["marks"]]

    def stacks(self, view, limit=0, from_seconds=None, to_seconds=None, pid=None, thread=None,
               native=None):
        """The records of a view ("peak", "leaks", "temporary", "allocations"), heaviest first.

        limit: only so many; 0: all, and their sums are the view's totals. from_seconds, to_seconds:
        of the recording, or names of marks. native: with native frames, or without; None: as
        recorded. Raises ValueError for another view, MemlensError for what the program says.
        """
        return list(self.iterate(view, limit, from_seconds, to_seconds, pid, thread, native))

    def iterate(self, view, limit=0, from_seconds=None, to_seconds=None, pid=None, thread=None,
                native=None):
        """The same one by one, as they are made: a view with millions of stacks is never in memory."""
        if view not in VIEWS:
            raise ValueError("no view %r; there are %s" % (view, ", ".join(VIEWS)))
        arguments = [view, self.path, "--json", "-n", str(limit)]
        for name, value in (("--from", from_seconds), ("--to", to_seconds), ("--pid", pid),
                            ("--thread", thread)):
            if value is not None:
                arguments += [name, str(value)]
        if native is not None:
            arguments.append("--native" if native else "--no-native")
        return _records(arguments)

    def peak(self, **options):
        """Alive when the program's blocks took the most bytes. Options as of stacks()."""
        return self.stacks("peak", **options)

    def leaks(self, **options):
        """Still allocated at the end."""
        return self.stacks("leaks", **options)

    def temporary(self, **options):
        """Freed before further allocations of their thread; most blocks first."""
        return self.stacks("temporary", **options)

    def allocations(self, **options):
        """Everything ever allocated."""
        return self.stacks("allocations", **options)

    def timeline(self, from_seconds=None, to_seconds=None, pid=None):
        """Memory over time: a list of MemoryPoint, some hundreds, evenly spaced.

        bytes: of recorded blocks, the highest since the previous point; resident_bytes: of the
        recorded processes beside it, None where it is not known.
        """
        options = []
        for name, value in (("--from", from_seconds), ("--to", to_seconds), ("--pid", pid)):
            if value is not None:
                options += [name, str(value)]
        report = _run("plot", self.path, "--json", *options)
        return [MemoryPoint(p["seconds"], p["bytes"], p["resident_bytes"])
                for p in report["points"]]

    def diff(self, other, view="peak"):
        """What changed from this capture to another (a Capture or a path), as a Diff."""
        path = other.path if isinstance(other, Capture) else os.fspath(other)
        return Diff(_run("diff", self.path, path, "--json", "--view", view))

    def snapshot(self, view="leaks", **options):
        """A view as a Snapshot, with tracemalloc's statistics(), compare_to() and filters."""
        from ._snapshot import Snapshot
        return Snapshot.from_records(self.stacks(view, **options))

    def to_arrow(self, **options):
        """One row a stack and view, as a pyarrow.Table (docs/fleet.md)."""
        from ._arrow import to_arrow
        return to_arrow(self, **options)

    def to_parquet(self, folder, **options):
        """The same as a file below folder, by host and day. Returns its path."""
        from ._arrow import to_parquet
        return to_parquet(self, folder, **options)

    def to_dataframe(self, view="peak", **options):
        """The records of a view as a pandas or polars DataFrame, whichever is installed.

        Columns: bytes, blocks, pid, thread, function, file, line (of the innermost frame), stack
        (functions, outermost first, parted by semicolons).
        """
        columns = {name: [] for name in ("bytes", "blocks", "pid", "thread", "function", "file",
                                         "line", "stack")}
        for record in self.iterate(view, **options):
            leaf = record.frames[0]
            row = (record.bytes, record.blocks, record.pid, record.thread, leaf.function, leaf.file,
                   leaf.line, ";".join(f.function for f in reversed(record.frames)))
            for name, value in zip(columns, row):
                columns[name].append(value)
        return _dataframe(columns)


def _dataframe(columns):
    """With types that do not depend on whether there are rows, so that frames can be joined."""
    numbers = {"bytes", "blocks", "pid", "thread", "line"}
    try:
        import pandas
        return pandas.DataFrame(columns).astype(
            {name: "int64" if name in numbers else "str" for name in columns})
    except ImportError:
        pass
    try:
        import polars
        return polars.DataFrame(columns, schema={
            name: polars.Int64 if name in numbers else polars.String for name in columns})
    except ImportError:
        raise ImportError("to_dataframe() needs pandas or polars") from None


class Diff(list):
    """Changes, the largest first, up or down; with the totals of both captures."""

    def __init__(self, report):
        super().__init__(
            Change(*(s[name] for name in Change._fields[:-1]), _frames(s)) for s in report["stacks"])
        self.view = report["view"]
        for name in Change._fields[:-1]:
            setattr(self, name, report[name])
