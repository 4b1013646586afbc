"""Goes up and down in stacks hundreds of frames deep, with an allocation at nearly every step.

    deep_stacks_program.py EXPECTED [SEED]

What it does is drawn beforehand, and so is what the stacks must be: nothing but the calls and the
allocations takes time between them. As in stacks_program.py, block n has BASE + 16 n bytes and one
more, and EXPECTED gets a JSON line for each: [n, [[file, line, function], ...]].
"""
import json
import random
import sys

BASE = 700_000
# From 3.15 on the bytes of a bytearray are those of a bytes object, with its header.
BYTEARRAY_HEADER = sys.getsizeof(b"") if sys.version_info >= (3, 15) else 0
BLOCKS = 600
LEAST_DEPTH, MOST_DEPTH = 90, 500
RETURN, CALL, CALL_ELSEWHERE, CALL_THROUGH_GENERATOR, SMALL, BLOCK = range(6)
FIRST_SIZE = BASE - BYTEARRAY_HEADER
sizes = iter(range(FIRST_SIZE, FIRST_SIZE + 16 * BLOCKS, 16))


def through_generator(steps):
    go(steps)  # line: generator
    yield


def go(steps, next=next, make=bytearray):
    for step in steps:
        if step == SMALL:
            [step]
        elif step == RETURN:
            return
        elif step == CALL:
            go(steps)  # line: CALL
        elif step == CALL_ELSEWHERE:
            go(steps)  # line: CALL_ELSEWHERE
        elif step == CALL_THROUGH_GENERATOR:
            next(through_generator(steps))  # line: CALL_THROUGH_GENERATOR
        else:
            make(next(sizes))  # line: BLOCK


def line_of(name):
    with open(__file__, encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if line.endswith(f"# line: {name}\n"))


LINES = {step: line_of(name) for step, name in
         ((CALL, "CALL"), (CALL_ELSEWHERE, "CALL_ELSEWHERE"),
          (CALL_THROUGH_GENERATOR, "CALL_THROUGH_GENERATOR"), (BLOCK, "BLOCK"))}
OUTERMOST_LINE = line_of("outermost")
GENERATOR_LINE = line_of("generator")


def draw(seed):
    """Steps, and for each block the calls that lead to it, outermost first."""
    choose = random.Random(seed)
    steps, calls, expected = [], [], []

    def call():
        # Generators are rare: each takes C stack, of which older versions allow little.
        step = choose.choice((CALL, CALL_ELSEWHERE) * 8 + (CALL_THROUGH_GENERATOR,))
        calls.append(step)
        steps.append(step)

    while len(expected) < BLOCKS:
        # Half of the ways down and up again are gone without an allocation.
        pauses = choose.choice(((0,), (0, 0, 1)))
        swing = choose.choice((0, 1, 1, 2, 5, 20, 60))
        for _ in range(swing):
            if len(calls) > LEAST_DEPTH:
                calls.pop()
                steps.append(RETURN)
            steps.extend([SMALL] * choose.choice(pauses))
        for _ in range(choose.choice((swing, swing, 1, 60))):
            if len(calls) < MOST_DEPTH:
                call()
            steps.extend([SMALL] * choose.choice(pauses))
        steps.extend([SMALL] * choose.choice((0, 1, 30)))
        if choose.random() < 0.5:
            steps.append(BLOCK)
            expected.append(list(calls))
    return steps, expected


def frames(calls):
    """Innermost first."""
    found = [[__file__, OUTERMOST_LINE, "<module>"]]
    for step in calls:
        found.append([__file__, LINES[step], "go"])
        if step == CALL_THROUGH_GENERATOR:
            found.append([__file__, GENERATOR_LINE, "through_generator"])
    found.append([__file__, LINES[BLOCK], "go"])
    return found[::-1]


drawn, stacks = draw(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
with open(sys.argv[1], "w", encoding="utf-8") as expected_file:
    for number, stack in enumerate(stacks):
        expected_file.write(json.dumps([number, frames(stack)]) + "\n")
sys.setrecursionlimit(10 * MOST_DEPTH)
go(iter(drawn))  # line: outermost
