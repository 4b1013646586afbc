# expect: cache render
import functools, time
@functools.lru_cache(maxsize=120)
def render(number):
    return "page %d " % number * 4000
end, number = time.monotonic() + 1.8, 0
while time.monotonic() < end:
    render(number)
    number += 1
    time.sleep(0.004)
