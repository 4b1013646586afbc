"""The markers limit_memory and limit_leaks."""
from collections import namedtuple

from .._sizes import format_size, parse_size

#: What a filter of limit_leaks is given.
Stack = namedtuple("Stack", "frames")
#: One of its frames, innermost first.
StackFrame = namedtuple("StackFrame", "function filename lineno")


_MemoryLimit = namedtuple("_MemoryLimit", "limit current_thread_only")
_LeakLimit = namedtuple("_LeakLimit", "limit filter_fn warmups current_thread_only")


class MemoryLimit(_MemoryLimit):
    """limit_memory: the peak."""
    __slots__ = ()
    warmups = 0
    needs_collection = False

    @classmethod
    def from_marker(cls, memory_limit, current_thread_only=False):
        return cls(parse_size(memory_limit), current_thread_only)

    def verdict(self, measured):
        """None when it holds; else what to say, and the stacks to show."""
        peak = measured["peak_bytes"]
        if peak <= self.limit:
            return None
        return ("limit_memory: the test peaked at %s, %s more than its limit of %s" % (
            format_size(peak), format_size(peak - self.limit), format_size(self.limit)),
            "at the peak", measured["peak"])


class LeakLimit(_LeakLimit):
    """limit_leaks: what any one place leaves."""
    __slots__ = ()
    needs_collection = True

    @classmethod
    def from_marker(cls, location_limit, filter_fn=None, warmups=0, current_thread_only=False):
        if warmups < 0:
            raise ValueError("limit_leaks: warmups is a number of runs, not %r" % (warmups,))
        return cls(parse_size(location_limit), filter_fn, warmups, current_thread_only)

    def verdict(self, measured):
        too_much = [stack for stack in measured["leaks"]
                    if stack["bytes"] > self.limit and self._counts(stack)]
        if not too_much:
            return None
        return ("limit_leaks: the test left %s at one place, more than its limit of %s%s" % (
            format_size(too_much[0]["bytes"]), format_size(self.limit),
            "; %d places are above it" % len(too_much) if len(too_much) > 1 else ""),
            "still allocated after the test", too_much)

    def _counts(self, stack):
        if self.filter_fn is None:
            return True
        return self.filter_fn(Stack(tuple(StackFrame(f["function"], f["file"], f["line"])
                                          for f in stack["frames"])))


_KINDS = {"limit_memory": MemoryLimit, "limit_leaks": LeakLimit}


def has_limits(item):
    """Whether there are any, in as little time as can be: each test is asked."""
    node = item
    while node is not None:
        for marker in node.own_markers:
            if marker.name in _KINDS:
                return True
        node = node.parent
    return False


def limits_of(item):
    """The limits of a test; at most one of a kind.

    Raises ValueError for two of a kind and for what is no size.
    """
    found = []
    if not has_limits(item):
        return found
    for name, kind in _KINDS.items():
        markers = list(item.iter_markers(name))
        if not markers:
            continue
        if len(markers) > 1:
            raise ValueError("%s: a test has at most one of it; %s has %d" % (
                name, item.nodeid, len(markers)))
        try:
            found.append(kind.from_marker(*markers[0].args, **markers[0].kwargs))
        except TypeError as error:
            raise ValueError("%s: %s" % (name, error)) from None
    return found
