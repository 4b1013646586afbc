# expect: churn read_all
import os, tempfile
file = tempfile.TemporaryFile(buffering=0)
file.write(b"x" * 4_000_000)
def read_all():
    file.seek(0)
    size = 0
    for _ in range(1000):
        size += len(file.read(4000))
    return size
for _ in range(60):
    read_all()
