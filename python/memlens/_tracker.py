"""with memlens.Tracker("out.mlens"): ..."""
import contextlib
import os
import sys
import tempfile

from . import _recorder
from ._profile import ask_for_tables
from ._program import MemlensError

_running = None  # of this process


def _notebook_cells():
    if "ipykernel" not in sys.modules:
        return contextlib.nullcontext()
    from ._cells import cells_as_files
    return cells_as_files()


class Tracker:
    """Records this process into a capture of its own, from start() to stop() or as a context.

    In any process: the library is loaded into one that was not started by memlens. All threads are
    recorded, and children that are forked meanwhile, until they end or this is stopped.

    path: where the capture goes (%p is the pid, %h the host, %t the time); without one, to a temporary
    file, another one each time, in `path`. force: overwrites what is there. follow: False leaves
    children out. sample: samples only, one in so many bytes on average ("512K"). An exception inside
    leaves a good capture. One at a time, and none in a process that is being recorded already:
    MemlensError says so.
    """

    def __init__(self, path=None, native=False, python_allocators=True, *, force=False, follow=True,
                 sample=None):
        self.path = os.fspath(path) if path is not None else None
        self.native = native
        self.python_allocators = python_allocators
        self.force, self.follow, self.sample = force, follow, sample
        self._asked_for = self.path  # with its %p
        self._file = None  # the same from any directory
        self._child = None
        self._process = None  # whose it is: a forked child has a copy

    def start(self):
        global _running
        if _running is not None and _running._process == os.getpid():
            raise MemlensError("a Tracker is running already, into %s" % _running.path)
        self.path = self._asked_for
        if self.path is None:
            self.path = os.path.join(tempfile.mkdtemp(prefix="memlens-"), "tracked.mlens")
        self._child = _recorder.start(self.path, self._options())
        self._process = os.getpid()
        _running = self
        if "%" in self.path:
            from ._process import recording_capture
            self.path = recording_capture(self._process)
        self._file = os.path.abspath(self.path)
        ask_for_tables()
        return self

    def _options(self):
        options = []
        for given, words in ((self.native, ["--native"]), (self.force, ["--force"]),
                             (not self.python_allocators, ["--no-python-allocators"]),
                             (not self.follow, ["--no-follow"]),
                             (self.sample, ["--sample", str(self.sample)])):
            options += words if given else []
        return options

    def stop(self):
        """The capture is complete when this returns."""
        global _running
        if self._child is None:
            return
        if self._process != os.getpid():  # the parent's, and goes on
            self._child = _running = None
            return
        child, self._child, _running = self._child, None, None
        with _notebook_cells():
            words = _recorder.stop(child)
        if not os.path.exists(self._file):
            raise MemlensError("no capture: %s" % _recorder.last_words(child, words))
        # Tables of profiled functions, and what is wrong with the recording.
        if words and sys.stderr is not None:  # as in a process that was started without one
            with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it
                sys.stderr.write(words)

    def read(self):
        """The capture, as far as it goes; complete after stop()."""
        from ._capture import read
        return read(self._file or self.path)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()
