"""with memlens.Tracker("out.mlens"): ..."""
import os
import tempfile

from . import _recorder

_running = None  # of this process


class Tracker:
    """Records this process into a capture of its own, from start() to stop() or as a context.

    path: where the capture goes; without one, to a temporary file, in `path`. An exception inside
    leaves a good capture. One at a time, and none in a process that is being recorded already:
    MemlensError says so.
    """

    def __init__(self, path=None, native=False, python_allocators=True):
        self.path = os.fspath(path) if path is not None else None
        self.native = native
        self.python_allocators = python_allocators
        self._child = None

    def start(self):
        global _running
        from ._capture import MemlensError
        if _running is not None:
            raise MemlensError("a Tracker is running already, into %s" % _running.path)
        if self.path is None:
            self.path = os.path.join(tempfile.mkdtemp(prefix="memlens-"), "tracked.mlens")
        self._child = _recorder.start(self.path, self.native, self.python_allocators)
        _running = self
        return self

    def stop(self):
        """The capture is complete when this returns."""
        global _running
        if self._child is None:
            return
        child, self._child, _running = self._child, None, None
        code, words = _recorder.stop(child)
        if not os.path.exists(self.path):
            from ._capture import MemlensError
            raise MemlensError("no capture: %s" % words)

    def read(self):
        """The capture, as far as it goes; complete after stop()."""
        from ._capture import read
        return read(self.path)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()
