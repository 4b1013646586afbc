"""with memlens.Tracker("out.mlens"): ..."""
import os
import sys
import tempfile

from . import _recorder
from ._profile import ask_for_tables

_running = None  # of this process


class Tracker:
    """Records this process into a capture of its own, from start() to stop() or as a context.

    In any process: the library is loaded into one that was not started by memlens. All threads are
    recorded, and children that are forked meanwhile, until they end or this is stopped.

    path: where the capture goes; without one, to a temporary file, in `path`. An exception inside
    leaves a good capture. One at a time, and none in a process that is being recorded already:
    MemlensError says so.
    """

    def __init__(self, path=None, native=False, python_allocators=True):
        self.path = os.fspath(path) if path is not None else None
        self.native = native
        self.python_allocators = python_allocators
        self._child = None
        self._process = None  # whose it is: a forked child has a copy

    def start(self):
        global _running
        from ._capture import MemlensError
        if _running is not None and _running._process == os.getpid():
            raise MemlensError("a Tracker is running already, into %s" % _running.path)
        if self.path is None:
            self.path = os.path.join(tempfile.mkdtemp(prefix="memlens-"), "tracked.mlens")
        self._child = _recorder.start(self.path, self.native, self.python_allocators)
        self._process = os.getpid()
        _running = self
        ask_for_tables()
        return self

    def stop(self):
        """The capture is complete when this returns."""
        global _running
        if self._child is None:
            return
        if self._process != os.getpid():  # the parent's, and goes on
            self._child = _running = None
            return
        child, self._child, _running = self._child, None, None
        words = _recorder.stop(child)
        if not os.path.exists(self.path):
            from ._capture import MemlensError
            raise MemlensError("no capture: %s" % _recorder.last_words(child, words))
        # Tables of profiled functions, and what is wrong with the recording.
        sys.stderr.write(words)

    def read(self):
        """The capture, as far as it goes; complete after stop()."""
        from ._capture import read
        return read(self.path)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()
