# expect: healthy
import collections, time
window = collections.deque(maxlen=100)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    window.append(bytearray(5000))
    time.sleep(0.003)
