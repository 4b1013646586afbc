from typing import Any, Callable, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

def profile(function: _F) -> _F: ...
