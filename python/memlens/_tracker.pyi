import os
from types import TracebackType
from typing import Optional, Type, Union

from ._capture import Capture

class Tracker:
    path: Optional[str]
    native: bool
    python_allocators: bool
    def __init__(
        self,
        path: Union[str, os.PathLike[str], None] = None,
        native: bool = False,
        python_allocators: bool = True,
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
