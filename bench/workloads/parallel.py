"""Two threads that allocate small objects side by side: at once where Python is free-threaded."""
import threading


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


def work(out):
    total = 0
    for i in range(1500):
        points = [Point(i * 1000 + j, [j]) for j in range(300)]
        total += sum(len(point.y) for point in points)
    out.append(total)


results = []
threads = [threading.Thread(target=work, args=(results,)) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(results))
