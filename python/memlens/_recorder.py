"""A recording of this process that begins now: `memlens attach` of the own process, as a child.

The process need not have been started by memlens: the library is loaded by dlopen, and puts its
hooks in for as long as a recording lasts.
"""
import os
import signal
import subprocess
import time

from . import _recording
from ._program import MemlensError, find_program, without_prefix

_PATIENCE_SECONDS = 30


def start(path, options):
    """The running `memlens attach`, once this process is recorded. Raises MemlensError."""
    if _recording.enabled():
        raise MemlensError(
            "this process is being recorded already; mark what you want to see in that recording "
            "with memlens.mark('NAME') and memlens.mark('NAME (end)'), and read it with "
            "`memlens ranges`")
    try:
        _recording.load()
    except OSError as error:
        raise MemlensError("cannot load libmemlens.so into this process: %s" % error) from None
    command = [find_program(), "attach", str(os.getpid()), "--wakes-itself", "--tables", "-q",
               "-o", path, *options]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _recording.enabled():
        if child.poll() is not None:
            words = last_words(child, _words(child)).replace(" or -f to ", " or force=True to ")
            raise MemlensError("no recording: %s" % words)
        if time.monotonic() > deadline:
            stop(child)
            raise MemlensError("no recording: memlens attach did not begin within %d s" %
                               _PATIENCE_SECONDS)
        time.sleep(0.001)
        _recording.wake()
    return child


def stop(child):
    """Ends the recording; the capture is complete when this returns. What memlens attach said."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    # The hooks are taken out at once, and what is done here from now on is not recorded.
    _recording.wake_until_over(_PATIENCE_SECONDS)
    return _words(child)


def _words(child):
    return child.communicate()[1].decode("utf-8", "replace")


def last_words(child, words):
    """Of what memlens attach said on its stderr: why it ended."""
    said = words.strip().splitlines()
    if said:
        return without_prefix(said[0])
    return "memlens attach ended with code %s" % child.returncode
