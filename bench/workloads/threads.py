"""Threads that allocate outside the GIL (zlib) and inside it."""
import threading
import zlib

data = b"the quick brown fox jumps over the lazy dog " * 2000


def work(out):
    total = 0
    for i in range(1200):
        packed = zlib.compress(data, 1)
        total += len(zlib.decompress(packed)) + len([bytearray(300) for _ in range(500)])
    out.append(total)


results = []
threads = [threading.Thread(target=work, args=(results,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(results))
