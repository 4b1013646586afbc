"""Frames that go and come as fast as they can, with allocations between, 60 to 900 deep.

Run by hand, recorded by a build with -DMEMLENS_CHECK_DEEP_STACKS=ON, with and without --native, on each
Python: where a change lies further out than the time passed allows (interposer/stacks/deep_reach.h), the
program ends by SIGILL.
"""
import sys

sys.setrecursionlimit(20000)


def generators(depth):
    if depth:
        yield from generators(depth - 1)
    else:
        while True:
            yield


class Step:
    def __await__(self):
        while True:
            yield


async def coroutines(depth):
    await (coroutines(depth - 1) if depth else Step())


def descend(depth):
    held = [depth]
    if depth:
        descend(depth - 1)
    return [held]


def go_deep_and_swing(depth, levels):
    if depth > 0:
        return go_deep_and_swing(depth - 1, levels)
    for _ in range(300):
        [depth]
        swing(levels)
        [depth]
        swing_elsewhere(levels)


def swing(levels):
    swing(levels - 1) if levels else [levels]


def swing_elsewhere(levels):
    swing_elsewhere(levels - 1) if levels else [levels]


def fail(depth):
    if depth:
        fail(depth - 1)
    raise KeyError


for depth in (60, 70, 100, 200, 400, 900):
    generator, coroutine = generators(depth), coroutines(depth)
    for i in range(2000):
        [i]
        next(generator)
        [i]
        coroutine.send(None)
    descend(depth)
    for levels in (1, 2, 5, 8, 9, 10, 20, 50, 100, 300):
        go_deep_and_swing(depth, levels)
    for i in range(200):
        try:
            fail(depth)
        except KeyError:
            [i]
    coroutine.close()
print("done")
