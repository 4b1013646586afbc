# expect: leak render
import functools, time
@functools.lru_cache(maxsize=None)
def render(number):
    return "page %d " % number * 400
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    render(number)
    number += 1
    time.sleep(0.003)
