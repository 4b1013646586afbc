# expect: healthy
import time
def rows():
    for number in range(400):
        yield bytearray(20_000)
        time.sleep(0.003)
print(sum(len(row) for row in rows()))
