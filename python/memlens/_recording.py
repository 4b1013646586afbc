"""The recording that this process is in, if it is in one: the library's own functions."""
import ctypes
import os
import time

# Nobody is told when the library is loaded (memlens attach): it is looked for so often.
_LOOK_SECONDS = 0.25


def _loaded_library():
    """The library in this process, preloaded or not; None."""
    everybodys = ctypes.CDLL(None)
    if hasattr(everybodys, "memlens_enabled"):
        return everybodys
    try:  # brought in later, and for nobody but who asks for it by its name
        return ctypes.CDLL("libmemlens.so", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return None


class _Library:
    """Its functions, declared."""

    def __init__(self, library):
        library.memlens_mark.argtypes = [ctypes.c_char_p]
        library.memlens_mark.restype = None
        library.memlens_enabled.argtypes = []
        library.memlens_enabled.restype = ctypes.c_int
        library.memlens_recording.argtypes = []
        library.memlens_recording.restype = ctypes.c_uint
        library.memlens_wake.argtypes = []
        library.memlens_wake.restype = ctypes.c_int
        library.memlens_profiled.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint,
                                             ctypes.c_uint]
        library.memlens_profiled.restype = None
        self.record_mark = library.memlens_mark
        self.record_profiled = library.memlens_profiled
        self.is_enabled = library.memlens_enabled
        self.recording = library.memlens_recording
        self.wake = library.memlens_wake
        self._library = library
        self._pool_functions = None

    def pool_functions(self):
        if self._pool_functions is None:
            block, size = ctypes.c_void_p, ctypes.c_size_t
            # They take as long as an allocation does, and the interpreter need not be let go.
            self._pool_functions = {
                name: ctypes.PYFUNCTYPE(None, ctypes.c_void_p, *arguments)(
                    ("memlens_report_pool_" + name, self._library))
                for name, arguments in (("alloc", (block, size)), ("free", (block,)),
                                        ("resize", (block, block, size)), ("reset", ()))}
        return self._pool_functions


_library = None
_next_look = 0.0


def _find():
    global _library, _next_look
    if _library is None and time.monotonic() >= _next_look:
        _next_look = time.monotonic() + _LOOK_SECONDS
        found = _loaded_library()
        if found is not None:
            _library = _Library(found)
    return _library


def load():
    """Brings the library into this process, where it is not there yet, and lets it look whether
    it is asked to record. Raises OSError, ProgramNotFound."""
    global _library, _next_look
    _next_look = 0.0
    if _find() is None:
        from ._program import find_library
        _library = _Library(ctypes.CDLL(find_library(), mode=os.RTLD_NOW | os.RTLD_LOCAL))
    wake()


def pool_functions():
    """The library's functions for pools, by name; None where it is not in this process."""
    library = _library or _find()
    return library.pool_functions() if library is not None else None


def wake():
    """The library joins the recording that it is asked to join, or leaves one that is over."""
    if _library is not None:
        _library.wake()


def wake_until_over(seconds):
    """Until the recording, whose end has been asked for, is over here; False after that long."""
    library = _library
    deadline = time.monotonic() + seconds
    while library.wake():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True


def mark(name):
    """Names this moment in the recording. Does nothing where nothing records."""
    library = _library or _find()
    if library is not None:  # which looks itself whether it records
        library.record_mark(str(name).encode("utf-8", "replace"))


def profiled(file, name, first_line, line_count):
    """Asks the recording for a table of a function's lines. Does nothing where nothing records."""
    library = _library or _find()
    if library is not None:
        library.record_profiled(os.fsencode(file), name.encode("utf-8", "replace"), first_line,
                                line_count)


def recording():
    """The number of the recording that this process is in, another one for the next; 0: none."""
    library = _library or _find()
    return library.recording() if library is not None else 0


def enabled():
    """Whether this process is being recorded."""
    library = _library or _find()
    return library is not None and bool(library.is_enabled())
