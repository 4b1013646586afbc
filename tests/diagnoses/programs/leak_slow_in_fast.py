# expect: leak audit
# Much is made and freed; little of it stays.
import time
kept = []
def audit(number):
    kept.append(str(number) * 300)
def handle(number):
    rows = [str(i) * 20 for i in range(300)]
    if number % 3 == 0:
        audit(number)
    return len("".join(rows))
end, number = time.monotonic() + 1.8, 0
while time.monotonic() < end:
    handle(number)
    number += 1
    time.sleep(0.002)
