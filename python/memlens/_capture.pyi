import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from ._snapshot import Snapshot

VIEWS: Tuple[str, ...]

class Frame(NamedTuple):
    function: str
    file: str
    line: int
    kind: str
    module: str
    source: str

class Record(NamedTuple):
    bytes: int
    blocks: int
    pid: int
    thread: int
    frames: Tuple[Frame, ...]

class Mark(NamedTuple):
    seconds: float
    name: str

class MemoryPoint(NamedTuple):
    seconds: float
    bytes: int
    resident_bytes: Optional[int]

class Change(NamedTuple):
    old_bytes: int
    new_bytes: int
    delta_bytes: int
    old_blocks: int
    new_blocks: int
    delta_blocks: int
    frames: Tuple[Frame, ...]

class MemlensError(Exception): ...

class Diff(List[Change]):
    view: str
    old_bytes: int
    new_bytes: int
    delta_bytes: int
    old_blocks: int
    new_blocks: int
    delta_blocks: int
    def __init__(self, report: Dict[str, Any]) -> None: ...

class Capture:
    path: str
    summary: Dict[str, Any]
    def __init__(self, path: Union[str, os.PathLike[str]]) -> None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def marks(self) -> List[Mark]: ...
    def stacks(
        self,
        view: str,
        limit: int = 0,
        from_seconds: Union[float, str, None] = None,
        to_seconds: Union[float, str, None] = None,
        pid: Optional[int] = None,
        thread: Optional[int] = None,
        native: Optional[bool] = None,
    ) -> List[Record]: ...
    def iterate(
        self,
        view: str,
        limit: int = 0,
        from_seconds: Union[float, str, None] = None,
        to_seconds: Union[float, str, None] = None,
        pid: Optional[int] = None,
        thread: Optional[int] = None,
        native: Optional[bool] = None,
    ) -> Iterator[Record]: ...
    def peak(self, **options: Any) -> List[Record]: ...
    def leaks(self, **options: Any) -> List[Record]: ...
    def temporary(self, **options: Any) -> List[Record]: ...
    def allocations(self, **options: Any) -> List[Record]: ...
    def timeline(
        self,
        from_seconds: Union[float, str, None] = None,
        to_seconds: Union[float, str, None] = None,
        pid: Optional[int] = None,
    ) -> List[MemoryPoint]: ...
    def diff(
        self, other: Union[Capture, str, os.PathLike[str]], view: str = "peak"
    ) -> Diff: ...
    def snapshot(self, view: str = "leaks", **options: Any) -> Snapshot: ...
    def to_arrow(self, **options: Any) -> Any: ...
    def to_parquet(
        self, folder: Union[str, os.PathLike[str]], **options: Any
    ) -> str: ...
    def to_dataframe(self, view: str = "peak", **options: Any) -> Any: ...

def _run(*arguments: str) -> Any: ...
def read(path: Union[str, os.PathLike[str]]) -> Capture: ...
