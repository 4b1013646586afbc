"""The recording of this process as the memlens program knows it."""
import os

_MAGIC = b"\x89MLNS\r\n\x1a"


def collector_pid():
    """Of the recording that this process was started in; None outside of one."""
    session = os.environ.get("MEMLENS_SESSION", "")
    number = session.split(":", 1)[0]
    return int(number) if number.isdigit() else None


def running_capture():
    """The capture that this process is recorded into, as far as it goes by now."""
    from ._capture import Capture, MemlensError
    pid = collector_pid()
    path = _written_by(pid) if pid else None
    if path is None:
        raise MemlensError("the capture of this process is not to be found")
    return Capture(path)


def recording_capture(pid):
    """The capture that another process is recorded into since it was started; None: there is none
    that can be seen."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        if variable.startswith(b"MEMLENS_SESSION="):
            number = variable.split(b"=", 1)[1].split(b":", 1)[0]
            return _written_by(int(number)) if number.isdigit() else None
    return None


def _written_by(pid):
    folder = "/proc/%d/fd" % pid
    try:
        numbers = os.listdir(folder)
    except OSError:
        return None
    for number in numbers:
        path = os.path.join(folder, number)
        try:
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    continue
            name = os.readlink(path)
            return name if os.path.exists(name) and os.path.samefile(name, path) else path
        except OSError:
            continue  # closed, or another user's
    return None
