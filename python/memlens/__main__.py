"""python -m memlens ...: the memlens program."""
import os
import sys

from ._program import MemlensError, find_program


def main():
    arguments = sys.argv[1:]
    own = _own_command(arguments)
    if own is not None:
        try:
            sys.exit(own(arguments[1:]))
        except (ImportError, OSError, ValueError, MemlensError) as error:
            sys.exit("memlens: %s" % error)
    try:
        program = find_program()
    except MemlensError as error:
        print("memlens: %s" % error, file=sys.stderr)
        sys.exit(125 if arguments[:1] == ["run"] else 1)
    if arguments[:1] == ["run"]:
        os.environ["MEMLENS_CALLING_PYTHON"] = sys.executable
    os.execv(program, [program] + arguments)


def _own_command(arguments):
    """What this package does itself of the command line; the program hands it over too."""
    command = arguments[:1]
    if command == ["push"]:
        from ._push import push
        return push
    if command == ["export"] and _wants_parquet(arguments):
        from ._arrow import export
        return export
    if command == ["plot"]:
        from ._plot import plot, wants_matplotlib
        return plot if wants_matplotlib(arguments) else None
    return None


def _wants_parquet(arguments):
    return "--format=parquet" in arguments or any(
        pair == ("--format", "parquet") for pair in zip(arguments, arguments[1:]))


if __name__ == "__main__":
    main()
