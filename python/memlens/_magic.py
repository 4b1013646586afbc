"""%%memlens: a cell of a notebook under a Tracker, and its page below it.

In any kernel: the library is loaded into it by the first such cell.
"""
import argparse
import html
import os
import shlex
import subprocess
import tempfile

from ._capture import MemlensError, read
from ._program import find_program
from ._sizes import format_size
from ._tracker import Tracker

# In a div: IPython warns of a bare iframe.
_PAGE = ('<div><iframe srcdoc="{page}" width="100%" height="{height}" style="border: 0" '
         'sandbox="allow-scripts" title="memlens"></iframe></div>')


class _Usage(Exception):
    pass


class _Options(argparse.ArgumentParser):
    def error(self, message):
        raise _Usage(message)

    def exit(self, status=0, message=None):
        raise _Usage(message or "see %%memlens --help")


def _options():
    parser = _Options(prog="%%memlens", add_help=False,
                      description="Records what the cell allocates and shows its flame graph.")
    parser.add_argument("-o", "--output", help="the capture's file (default: a temporary one)")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the file if it is there")
    parser.add_argument("--native", action="store_true", help="native stacks as well")
    parser.add_argument("--no-native", action="store_false", dest="native",
                        help="Python stacks alone (default)")
    parser.add_argument("--no-python-allocators", action="store_true",
                        help="what reaches malloc alone")
    parser.add_argument("--no-follow", action="store_true", help="no child processes")
    parser.add_argument("--sample", metavar="SIZE",
                        help="samples alone, one in so many bytes on average (512K)")
    parser.add_argument("-q", "--quiet", action="store_true", help="the page alone, no line of totals")
    parser.add_argument("--height", type=int, default=640, help="of the page, in pixels")
    parser.add_argument("--help", action="store_true")
    return parser


def _page_of(path, height):
    page = os.path.join(tempfile.mkdtemp(prefix="memlens-"), "page.html")
    made = subprocess.run([find_program(), "flamegraph", path, "-o", page],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        raise MemlensError(made.stderr.strip() or "no page was made of %s" % path)
    with open(page, encoding="utf-8") as file:
        return _PAGE.format(page=html.escape(file.read(), quote=True), height=height)


def _totals_of(path):
    summary = read(path).summary
    return "memlens: %s at the peak, %s still allocated, %d allocations (%s)" % (
        format_size(summary["peak_bytes"]), format_size(summary["leaked_bytes"]),
        summary["allocations"], path)


def _run(shell, line, code):
    # The cell is IPython's to parse and to run: its errors are shown as those of other cells.
    from IPython.core.error import UsageError
    from IPython.display import HTML, display
    parser = _options()
    try:
        options = parser.parse_args(shlex.split(line))
        if options.help:
            print(parser.format_help())
            return
        if _needs_running_loop(shell, code):
            raise _Usage("the cell awaits at its top level, which only the kernel itself can run; in an "
                         "ordinary cell: with memlens.Tracker('cell.mlens'): ...")
        tracker = Tracker(options.output, native=options.native,
                          python_allocators=not options.no_python_allocators,
                          force=options.force, follow=not options.no_follow, sample=options.sample)
        tracker.start()
    except (_Usage, MemlensError, ValueError) as error:
        raise UsageError("memlens: %s" % str(error).replace("force=True", "-f")) from None
    try:
        shell.run_cell(code)
    finally:
        tracker.stop()
    try:
        display(HTML(_page_of(tracker.path, options.height)))
        if not options.quiet:
            print(_totals_of(tracker.path))
    except MemlensError as error:
        raise UsageError("memlens: %s" % error) from None


def _needs_running_loop(shell, code):
    """Whether the cell awaits, and the loop that would run it is waiting for this very magic."""
    import asyncio
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return shell.should_run_async(code, transformed_cell=shell.transform_cell(code))


def load_ipython_extension(shell):
    def memlens_cell(line, cell):
        _run(shell, line, cell)

    def memlens_line(line):
        _run(shell, "", line)

    shell.register_magic_function(memlens_cell, "cell", "memlens")
    shell.register_magic_function(memlens_line, "line", "memlens")
