# expect: healthy
import time
rows = []
for _ in range(16):
    for _ in range(30):
        rows.append(bytearray(10_000))
        time.sleep(0.002)
    rows.clear()
    time.sleep(0.03)
