"""The table of a session, for the terminal."""
from .._sizes import format_size
from .sections import command, shown_path, stack_lines


def print_summary(terminal, report, count, stacks, root):
    ranges = report["ranges"]
    terminal.section("memlens")
    if not ranges:
        terminal.line("no test ran")
        return
    terminal.line("%d test%s; what peaked highest:" % (len(ranges), "s"[:len(ranges) != 1]))
    for each in ranges[:count]:
        terminal.line("")
        terminal.line("%9s at the peak, %s left, %d allocations  %s" % (
            format_size(each["peak_bytes"]), format_size(each["leaked_bytes"]), each["allocations"],
            each["name"]))
        for line in stack_lines(each.get("peak", []), stacks, root):
            terminal.line("    " + line)
    path = shown_path(report["capture"], root)
    terminal.line("")
    terminal.line("all of it: %s" % path)
    terminal.line("next: %s" % command("ranges", path))
