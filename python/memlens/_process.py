"""The recording of a process as the memlens program knows it."""
import os
import subprocess

from ._program import MemlensError, find_program, last_line


def collector_pid():
    """Of the recording that this process was started in; None outside of one."""
    session = os.environ.get("MEMLENS_SESSION", "")
    number = session.split(":", 1)[0]
    return int(number) if number.isdigit() else None


def recording_capture(pid):
    """The path of the capture that a process is recorded into, by whatever means, as far as it goes by
    now. Raises MemlensError where it is not recorded, or cannot be seen."""
    asked = subprocess.run([find_program(), "attach", str(pid), "--where-capture"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if asked.returncode != 0:
        raise MemlensError(last_line(asked.stderr, "exit code %d" % asked.returncode))
    return os.fsdecode(asked.stdout).rstrip("\n")
