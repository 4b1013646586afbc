# expect: fragmentation
import time
class Point:
    __slots__ = ("x", "y")
    def __init__(self, x): self.x, self.y = x, -x
points = [Point(i) for i in range(700000)]
kept = points[::400]
del points
for _ in range(60):
    time.sleep(0.02)
    bytearray(1000)
