from typing import Iterable, List, NamedTuple, Optional, Tuple

from ._capture import Record

class Frame(NamedTuple):
    filename: str
    lineno: int

class Traceback(Tuple[Frame, ...]):
    def format(
        self, limit: Optional[int] = None, most_recent_first: bool = False
    ) -> List[str]: ...

class Trace(NamedTuple):
    size: int
    count: int  # type: ignore[assignment]
    traceback: Traceback

class Statistic(NamedTuple):
    traceback: Traceback
    size: int
    count: int  # type: ignore[assignment]

class StatisticDiff(NamedTuple):
    traceback: Traceback
    size: int
    size_diff: int
    count: int  # type: ignore[assignment]
    count_diff: int

class Filter:
    inclusive: bool
    filename_pattern: str
    lineno: Optional[int]
    all_frames: bool
    domain: Optional[int]
    def __new__(
        cls,
        inclusive: bool,
        filename_pattern: str,
        lineno: Optional[int] = None,
        all_frames: bool = False,
        domain: Optional[int] = None,
    ) -> Filter: ...

class Snapshot:
    traces: Tuple[Trace, ...]
    def __init__(self, traces: Iterable[Trace]) -> None: ...
    @classmethod
    def from_records(cls, records: Iterable[Record]) -> Snapshot: ...
    def filter_traces(self, filters: Iterable[Filter]) -> Snapshot: ...
    def statistics(
        self, key_type: str, cumulative: bool = False
    ) -> List[Statistic]: ...
    def compare_to(
        self, old_snapshot: Snapshot, key_type: str, cumulative: bool = False
    ) -> List[StatisticDiff]: ...

def snapshot() -> Snapshot: ...
