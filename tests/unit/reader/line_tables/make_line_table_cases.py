"""Writes what this interpreter's own code objects say about their lines, for line_table_test.

    for python in 3.8 ... 3.13: python make_line_table_cases.py > python-3.8.txt

Per code object one line: format, first line, table (hex, - when empty); then one line of
offset:line pairs, one for each instruction, 0 for no line.
"""
import sys


def example(items, flag):
    total = 0
    for item in items:
        if flag and item > 3:
            total += item
        elif item in (
            1,
            2,
        ):
            total -= item; total *= 2
        else:
            try:
                total = [
                    x
                    for x in range(item)
                    if x
                ][0]
            except (
                IndexError,
                TypeError,
            ) as error:
                print(
                    error,
                    total
                )
            finally:
                total = (
                    total
                    + 1)
    with open(
        "nothing"
    ) as file:
        return lambda: (file,
                        total)


class Widget:
    size = 1

    def grow(self): self.size += 1; return self.size


def generated():
    """Long jumps of lines and of offsets, in both directions."""
    lines = ["def far():", "    a = 1"] + [""] * 400 + ["    b = (a +", ""] + [""] * 200
    lines += ["         a)", "    return [" + ", ".join(["a"] * 300) + "," + "\n" * 150 + "b]"]
    return compile("\n".join(lines), "<generated>", "exec")


def codes_in(code):
    yield code
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from codes_in(constant)


def table_of(code):
    if sys.version_info < (3, 10):
        return 1, code.co_lnotab
    return (2 if sys.version_info < (3, 11) else 3), code.co_linetable


def lines_of(code):
    offsets = range(0, len(code.co_code), 2)
    if sys.version_info < (3, 10):
        import dis
        starts = list(dis.findlinestarts(code))
        # findlinestarts leaves out repeated lines, which changes nothing here.
        def line_at(offset):
            before = [line for start, line in starts if start <= offset]
            return before[-1] if before else code.co_firstlineno
        return [(offset, line_at(offset)) for offset in offsets]
    table = list(code.co_lines())
    return [(offset, next(line for begin, end, line in table if begin <= offset < end) or 0)
            for offset in offsets]


def main():
    roots = [example.__code__, Widget.grow.__code__, main.__code__, generated(),
             compile(open(__file__).read(), "self", "exec")]
    for root in roots:
        for code in codes_in(root):
            kind, table = table_of(code)
            print(kind, code.co_firstlineno, table.hex() or "-")
            print(*(f"{offset}:{line}" for offset, line in lines_of(code)))


main()
