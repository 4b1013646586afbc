"""Deep stacks: objects made 400 Python frames deep."""
import sys

sys.setrecursionlimit(5000)


def descend(depth, out):
    if depth == 0:
        for i in range(200):
            out.append([i] * 3)
        return
    descend(depth - 1, out)
    out.append((depth,))


total = 0
for _ in range(4000):
    out = []
    descend(400, out)
    total += len(out)
print(total)
