"""Objects made at memory speed by calls 100 Python frames down, as deep web frameworks have them."""


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


def make(count):
    total = 0
    for i in range(count):
        point = Point([i], (i, total))
        total += len(point.x)
    return total


def descend(depth, count):
    return make(count) if depth == 0 else descend(depth - 1, count) + 0


print(sum(descend(100, 2000) for _ in range(400)))
