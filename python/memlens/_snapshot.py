"""tracemalloc's habits, with the memory of C extensions inside.

    before = memlens.snapshot()
    work()
    for line in memlens.snapshot().compare_to(before, "lineno")[:10]:
        print(line)
"""
import fnmatch
import linecache
import os
from collections import namedtuple


class Frame(namedtuple("Frame", "filename lineno")):
    """A line of a file."""
    __slots__ = ()

    def __str__(self):
        return "%s:%d" % self


class Traceback(tuple):
    """Frames, the oldest first, as tracemalloc has them; as a text, the oldest."""
    __slots__ = ()

    def __str__(self):
        return str(self[0]) if self else "<unknown>"

    def format(self, limit=None, most_recent_first=False):
        """Lines as of traceback.format_tb(). limit: only so many of the most recent frames; a
        negative one: of the oldest."""
        frames = list(self)
        if limit is not None:
            frames = frames[-limit:] if limit > 0 else frames[:abs(limit)]
        if most_recent_first:
            frames.reverse()
        lines = []
        for frame in frames:
            lines.append('  File "%s", line %d' % frame)
            source = linecache.getline(frame.filename, frame.lineno).strip()
            if source:
                lines.append("    " + source)
        return lines


Trace = namedtuple("Trace", "size count traceback")


class Statistic(namedtuple("Statistic", "traceback size count")):
    """size in bytes, count of blocks."""
    __slots__ = ()

    def __str__(self):
        text = "%s: size=%s, count=%d" % (self.traceback, _size(self.size, ""), self.count)
        return text + _average(self)


class StatisticDiff(namedtuple("StatisticDiff", "traceback size size_diff count count_diff")):
    """What is now, in bytes and blocks, and how much more than before."""
    __slots__ = ()

    def __str__(self):
        text = "%s: size=%s (%s), count=%d (%+d)" % (
            self.traceback, _size(self.size, ""), _size(self.size_diff, "+"), self.count,
            self.count_diff)
        return text + _average(self)


def _average(statistic):
    if not statistic.count:
        return ""
    return ", average=%s" % _size(statistic.size / statistic.count, "")


def _size(size, sign):
    """As tracemalloc writes sizes, to the letter."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 100 and unit != "B":
            return "%{0}.1f %s".format(sign) % (size, unit)
        if abs(size) < 10 * 1024:
            return "%{0}.0f %s".format(sign) % (size, unit)
        size /= 1024
    return "%{0}.{1}f TiB".format(sign, 1 if abs(size) < 100 else 0) % size


class Filter(namedtuple("Filter", "inclusive filename_pattern lineno all_frames domain")):
    """As tracemalloc.Filter; a domain is accepted and does not matter."""
    __slots__ = ()

    def __new__(cls, inclusive, filename_pattern, lineno=None, all_frames=False, domain=None):
        return super().__new__(cls, inclusive, filename_pattern, lineno, all_frames, domain)

    def _matches(self, traceback):
        frames = traceback if self.all_frames else traceback[-1:]
        return any(fnmatch.fnmatch(frame.filename, self.filename_pattern) and
                   self.lineno in (None, frame.lineno) for frame in frames)


class Snapshot:
    """What was allocated at a moment, by stack."""

    def __init__(self, traces):
        self.traces = tuple(traces)

    @classmethod
    def from_records(cls, records):
        """Of a view's records. Each stack counts at its innermost Python frame."""
        return cls(Trace(record.bytes, record.blocks, Traceback(
            Frame(frame.file, frame.line) for frame in reversed(record.frames)
            if frame.kind == "python" and frame.file)) for record in records)

    def __repr__(self):
        return "<memlens.Snapshot: %s in %d blocks>" % (
            _size(sum(trace.size for trace in self.traces), ""),
            sum(trace.count for trace in self.traces))

    def filter_traces(self, filters):
        """A snapshot of the traces that match an inclusive filter, where there are any, and no
        exclusive one."""
        included = [each for each in filters if each.inclusive]
        excluded = [each for each in filters if not each.inclusive]
        return Snapshot(trace for trace in self.traces
                        if (not included or any(f._matches(trace.traceback) for f in included))
                        and not any(f._matches(trace.traceback) for f in excluded))

    def statistics(self, key_type, cumulative=False):
        """Statistics by "lineno", "filename" or "traceback", the largest first.

        cumulative: by every frame of a stack, and not only by its most recent; not by traceback.
        """
        sums = self._sums(key_type, cumulative)
        return sorted((Statistic(key, size, count) for key, (size, count) in sums.items()),
                      key=lambda s: (s.size, s.count, s.traceback), reverse=True)

    def compare_to(self, old_snapshot, key_type, cumulative=False):
        """What changed since an older snapshot, the largest change first, up or down."""
        new = self._sums(key_type, cumulative)
        old = old_snapshot._sums(key_type, cumulative)
        changes = []
        for key in new.keys() | old.keys():
            size, count = new.get(key, (0, 0))
            old_size, old_count = old.get(key, (0, 0))
            changes.append(StatisticDiff(key, size, size - old_size, count, count - old_count))
        return sorted(changes, key=lambda s: (abs(s.size_diff), s.size, abs(s.count_diff), s.count,
                                              s.traceback), reverse=True)

    def _sums(self, key_type, cumulative):
        if key_type not in ("lineno", "filename", "traceback"):
            raise ValueError("unknown key_type: %r" % (key_type,))
        if cumulative and key_type == "traceback":
            raise ValueError("cumulative mode is not for key_type 'traceback'")
        sums = {}
        for size, count, traceback in self.traces:
            for key in self._keys(traceback, key_type, cumulative):
                before = sums.get(key, (0, 0))
                sums[key] = before[0] + size, before[1] + count
        return sums

    @staticmethod
    def _keys(traceback, key_type, cumulative):
        if key_type == "traceback":
            return (traceback,)
        frames = traceback if cumulative else traceback[-1:]
        if key_type == "filename":
            frames = [Frame(frame.filename, 0) for frame in frames]
        return {Traceback((frame,)) for frame in frames} or {Traceback()}


def snapshot():
    """What this process has allocated and not freed by now.

    It has to be recorded (`memlens run app.py`, a Tracker, `memlens attach`), from its start if the
    snapshot is to be whole.
    Raises MemlensError where nothing records. Takes a reading of the capture so far. What this
    package allocates is left out.
    """
    from ._capture import MemlensError, read
    from ._process import recording_capture
    from ._recording import enabled
    if not enabled():
        raise MemlensError("snapshot: this process is not recorded; start it with `memlens run`, "
                           "or a memlens.Tracker in it")
    capture = read(recording_capture(os.getpid()))
    return Snapshot(trace for trace in capture.snapshot(pid=os.getpid()).traces
                    if not _is_own(trace.traceback))


_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
#: What calls other people's code: functions that are profiled, cells, tests.
_CALLERS = tuple(os.path.join(_PACKAGE, name) for name in
                 ("_profile.py", "_magic.py", os.path.join("pytest_plugin", "")))


def _is_own(traceback):
    """Whether this package allocates there, as snapshots do themselves: nobody's question."""
    for frame in reversed(traceback):
        if frame.filename.startswith(_PACKAGE):
            return frame is traceback[-1] or not frame.filename.startswith(_CALLERS)
    return False
