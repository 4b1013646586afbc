# expect: leak lookup
# A cache whose keys never come again.
import time
cache = {}
def lookup(key):
    if key not in cache:
        cache[key] = ("value of %d " % key) * 300
    return cache[key]
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    lookup(number)
    number += 1
    time.sleep(0.003)
