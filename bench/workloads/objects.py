"""Object-heavy: many small instances, dicts and tuples that live and die."""


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def moved(self, dx):
        return Point(self.x + dx, self.y)


def churn(rounds):
    keep = []
    for i in range(rounds):
        points = [Point(i * 1000 + j, j) for j in range(100)]
        points = [point.moved(1) for point in points]
        table = {point.x: (point.y, point) for point in points}
        if i % 50 == 0:
            keep.append(table)
    return len(keep)


print(churn(16000))
