"""python -m memlens ...: the memlens program."""
import os
import sys

from ._capture import MemlensError
from ._program import find_program


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["export"] and _wants_parquet(arguments):
        from ._arrow import export
        try:
            return export(arguments[1:])
        except (ImportError, OSError, ValueError, MemlensError) as error:
            sys.exit("memlens: %s" % error)
    program = find_program()
    if arguments[:1] == ["run"]:
        os.environ["MEMLENS_CALLING_PYTHON"] = sys.executable
    os.execv(program, [program] + arguments)


def _wants_parquet(arguments):
    return "--format=parquet" in arguments or any(
        pair == ("--format", "parquet") for pair in zip(arguments, arguments[1:]))


if __name__ == "__main__":
    main()
