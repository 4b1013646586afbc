from typing import Any

from ._capture import (
    Capture as Capture,
    Change as Change,
    Diff as Diff,
    Frame as Frame,
    Mark as Mark,
    MemlensError as MemlensError,
    MemoryPoint as MemoryPoint,
    Record as Record,
    read as read,
)
from ._pool import Pool as Pool
from ._profile import profile as profile
from ._recording import enabled as enabled, mark as mark
from ._snapshot import Filter as Filter, Snapshot as Snapshot, snapshot as snapshot
from ._tracker import Tracker as Tracker

__all__ = [
    "Capture", "Change", "Diff", "Filter", "Frame", "Mark", "MemlensError", "MemoryPoint",
    "Pool", "Record", "Snapshot", "Tracker", "enabled", "mark", "profile", "read", "snapshot",
]

def load_ipython_extension(shell: Any) -> None: ...
