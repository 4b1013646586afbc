"""Where the memlens program is."""
import os
import shutil


class ProgramNotFound(RuntimeError):
    """No memlens program was found."""


def _candidates():
    yield os.environ.get("MEMLENS_PROGRAM")
    here = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(here, "bin", "memlens")  # of a wheel
    yield os.path.join(os.path.dirname(os.path.dirname(here)), "build", "bin", "memlens")
    yield shutil.which("memlens")


def find_program():
    """The program of this package; MEMLENS_PROGRAM names another. Raises ProgramNotFound."""
    for path in _candidates():
        if path and os.access(path, os.X_OK):
            return path
    raise ProgramNotFound("no memlens program beside this package or on PATH; "
                          "MEMLENS_PROGRAM may name one")
