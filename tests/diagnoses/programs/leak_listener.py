# expect: leak subscribe
# Every request subscribes, and nobody ever unsubscribes.
import time
listeners = []
def subscribe(callback):
    listeners.append((callback, bytearray(2000)))
def request(number):
    subscribe(lambda: number)
    return sum(len(str(i)) for i in range(50))
end = time.monotonic() + 1.6
while time.monotonic() < end:
    request(1)
    time.sleep(0.003)
