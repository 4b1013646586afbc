# expect: fragmentation
import time
def load():
    return [bytearray(2000) for _ in range(60000)]
rows = load()
index = [bytes(100000 + i) for i in range(10)] + [bytes(3000) for _ in range(10)]
del rows
for _ in range(60):
    time.sleep(0.02)
    bytearray(1000)
