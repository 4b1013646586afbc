"""Where the memlens program is."""
import glob
import os
import shutil


class MemlensError(Exception):
    """What the memlens program said, in one line."""


class ProgramNotFound(MemlensError):
    """No memlens program was found, or no library beside it."""


def _candidates():
    yield os.environ.get("MEMLENS_PROGRAM")
    here = os.path.dirname(os.path.abspath(__file__))
    yield _installed_with_us(os.path.dirname(here))
    yield os.path.join(os.path.dirname(os.path.dirname(here)), "build", "bin", "memlens")
    yield shutil.which("memlens")


def _installed_with_us(folder):
    """The program of the wheel that this package came with; where it went, its record says."""
    for record in glob.glob(os.path.join(glob.escape(folder), "memlens-*.dist-info", "RECORD")):
        with open(record, encoding="utf-8") as file:
            for line in file:
                path = line.split(",", 1)[0]
                if ("/" + path).endswith("/bin/memlens"):
                    return os.path.normpath(os.path.join(folder, path))
    return None


def find_library():
    """libmemlens.so beside the program, as the program finds it. Raises ProgramNotFound."""
    program = os.path.realpath(find_program())
    folder = glob.escape(os.path.dirname(program))
    for place in ("../lib", "../lib/*-linux-gnu", "../lib64", "."):
        for path in glob.glob(os.path.join(folder, place, "libmemlens.so")):
            return os.path.normpath(path)
    raise ProgramNotFound("no libmemlens.so beside %s; reinstall memlens" % program)


def find_program():
    """The program of this package; MEMLENS_PROGRAM names another. Raises ProgramNotFound."""
    for path in _candidates():
        if path and os.access(path, os.X_OK):
            return path
    raise ProgramNotFound("no memlens program beside this package or on PATH; "
                          "MEMLENS_PROGRAM may name one")


def without_prefix(line):
    """What the program said on a line of stderr, without its name in front."""
    return line[len("memlens: "):] if line.startswith("memlens: ") else line


def last_line(stderr, otherwise):
    """Of the bytes of the program's stderr, without its name in front: what went wrong."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return without_prefix(lines[-1] if lines else otherwise)
