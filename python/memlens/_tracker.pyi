import os
from types import TracebackType
from typing import Optional, Type, Union

from ._capture import Capture

class Tracker:
    path: Optional[str]
    native: bool
    python_allocators: bool
    force: bool
    follow: bool
    sample: Union[str, int, None]
    def __init__(
        self,
        path: Union[str, os.PathLike[str], None] = None,
        native: bool = False,
        python_allocators: bool = True,
        *,
        force: bool = False,
        follow: bool = True,
        sample: Union[str, int, None] = None,
    ) -> None: ...
    def start(self) -> Tracker: ...
    def stop(self) -> None: ...
    def read(self) -> Capture: ...
    def __enter__(self) -> Tracker: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...
