# expect: healthy
import time
table = {i: "x" * 200 for i in range(20_000)}
def handle(number):
    rows = [table[(number * 7 + i) % 20_000] for i in range(200)]
    return len("".join(rows))
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    handle(number)
    number += 1
    time.sleep(0.003)
