# expect: leak record
import random, time
audit = []
def record(text):
    audit.append(text * 30)
code = "\n".join(f"def handler_{i}(n):\n    record('request %d of {i}' % n)" for i in range(200))
exec(compile(code, "handlers.py", "exec"))
handlers = [globals()[f"handler_{i}"] for i in range(200)]
pick, number, end = random.Random(1), 0, time.monotonic() + 1.6
while time.monotonic() < end:
    for _ in range(5):
        handlers[pick.randrange(200)](number)
        number += 1
    time.sleep(0.005)
