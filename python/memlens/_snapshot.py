"""tracemalloc's habits, with the memory of C extensions inside.

    before = memlens.snapshot()
    work()
    for line in memlens.snapshot().compare_to(before, "lineno")[:10]:
        print(line)
"""
import fnmatch
import linecache
from collections import namedtuple

from ._sizes import format_size


class Frame(namedtuple("Frame", "filename lineno")):
    """A line of a file."""
    __slots__ = ()

    def __str__(self):
        return "%s:%d" % self


class Traceback(tuple):
    """Frames, the oldest first, as tracemalloc has them."""
    __slots__ = ()

    def __str__(self):
        return str(self[-1]) if self else "<unknown>"

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
        text = "%s: size=%s, count=%d" % (self.traceback, format_size(self.size), self.count)
        return text + _average(self)


class StatisticDiff(namedtuple("StatisticDiff", "traceback size size_diff count count_diff")):
    """What is now, in bytes and blocks, and how much more than before."""
    __slots__ = ()

    def __str__(self):
        text = "%s: size=%s (%s), count=%d (%+d)" % (
            self.traceback, format_size(self.size), _signed(self.size_diff), self.count,
            self.count_diff)
        return text + _average(self)


def _average(statistic):
    if not statistic.count:
        return ""
    return ", average=%s" % format_size(statistic.size / statistic.count)


def _signed(size):
    return ("-" if size < 0 else "+") + format_size(abs(size))


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
            format_size(sum(trace.size for trace in self.traces)),
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
                      key=lambda s: (-s.size, -s.count, s.traceback))

    def compare_to(self, old_snapshot, key_type, cumulative=False):
        """What changed since an older snapshot, the largest change first, up or down."""
        new = self._sums(key_type, cumulative)
        old = old_snapshot._sums(key_type, cumulative)
        changes = []
        for key in new.keys() | old.keys():
            size, count = new.get(key, (0, 0))
            old_size, old_count = old.get(key, (0, 0))
            changes.append(StatisticDiff(key, size, size - old_size, count, count - old_count))
        return sorted(changes, key=lambda s: (-abs(s.size_diff), -s.size, -abs(s.count_diff),
                                              s.traceback))

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

    It has to be recorded (`memlens run app.py`), from its start if the snapshot is to be whole.
    Raises MemlensError where nothing records. Takes a reading of the capture so far. What this
    package allocates is left out.
    """
    import os

    from ._capture import MemlensError
    from ._process import running_capture
    from ._recording import enabled
    if not enabled():
        raise MemlensError("snapshot: this process is not recorded; start it with `memlens run`")
    # What snapshots take themselves is nobody's question.
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    return Snapshot(trace for trace in running_capture().snapshot(pid=os.getpid()).traces
                    if not any(frame.filename.startswith(own) for frame in trace.traceback))
