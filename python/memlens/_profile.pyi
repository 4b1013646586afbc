from typing import Any, Callable, List, Optional, TextIO, Tuple, TypeVar

from ._capture import Capture

_F = TypeVar("_F", bound=Callable[..., Any])

def profile(function: _F) -> _F: ...
def line_table(
    function: Callable[..., Any], capture: Capture, pid: Optional[int] = None
) -> List[Tuple[int, str, int, int, int, int]]: ...
def print_line_table(
    function: Callable[..., Any],
    capture: Capture,
    pid: Optional[int] = None,
    file: Optional[TextIO] = None,
) -> None: ...
