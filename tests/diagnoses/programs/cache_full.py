# expect: cache store|lookup
import time
cache = {}
def store(number):
    cache[number % 100] = bytearray(30_000)
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    store(number)
    number += 1
    time.sleep(0.004)
