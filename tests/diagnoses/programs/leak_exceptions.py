# expect: leak parse
# An exception that is kept keeps its frames, and all their locals.
import time
errors = []
def parse(number):
    data = bytearray(15_000)
    raise ValueError(f"bad input {number} of {len(data)}")
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    try:
        parse(number)
    except ValueError as error:
        errors.append(error)
    number += 1
    time.sleep(0.003)
