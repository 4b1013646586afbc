"""memlens for Python: read captures, mark moments of a recording.

    import memlens
    memlens.mark("epoch 3")                 # nothing, where nothing records
    capture = memlens.read("app.mlens")
    capture.summary["peak_bytes"]
    for record in capture.leaks(limit=5):
        print(record.bytes, record.frames[0].function)
    memlens.snapshot().compare_to(before, "lineno")     # as tracemalloc's; of a recorded process
    @memlens.profile                        # a line table of the function, at exit

Reports come from the `memlens` program and its JSON: there is no second reader. Sizes are bytes as
the program asked for them; times are seconds since the recording began.
"""
from ._capture import Capture, Change, Diff, Frame, Mark, MemlensError, MemoryPoint, Record, read
from ._pool import Pool
from ._profile import profile
from ._recording import enabled, mark
from ._snapshot import Filter, Snapshot, snapshot
from ._tracker import Tracker

__all__ = ["Capture", "Change", "Diff", "Filter", "Frame", "Mark", "MemlensError", "MemoryPoint",
           "Pool", "Record", "Snapshot", "Tracker", "enabled", "mark", "profile", "read", "snapshot"]


def load_ipython_extension(shell):
    """%load_ext memlens: the magics %%memlens (a cell) and %memlens (a line)."""
    from ._magic import load_ipython_extension as load
    load(shell)
