"""The recording that this process is in, if it is in one."""
import ctypes


def _function(name):
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None


def _bind():
    """(mark, enabled) of the library, or what does nothing where it is not loaded."""
    record_mark = _function("memlens_mark")
    is_enabled = _function("memlens_enabled")
    if record_mark is None or is_enabled is None:
        return (lambda name: None), (lambda: False)
    record_mark.argtypes = [ctypes.c_char_p]
    record_mark.restype = None
    is_enabled.argtypes = []
    is_enabled.restype = ctypes.c_int

    def mark_moment(name):
        if is_enabled():
            record_mark(str(name).encode("utf-8", "replace"))

    return mark_moment, lambda: bool(is_enabled())


_mark, _enabled = _bind()


def look_again():
    """The library may have been loaded since this module was imported."""
    global _mark, _enabled
    _mark, _enabled = _bind()


def mark(name):
    """Names this moment in the recording. Does nothing where nothing records."""
    _mark(name)


def enabled():
    """Whether this process is being recorded."""
    return _enabled()
