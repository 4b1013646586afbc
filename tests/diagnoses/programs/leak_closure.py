# expect: leak make_handler
# A handler keeps the whole payload for the one number it needs.
import time
handlers = {}
def make_handler(number):
    payload = bytearray(20_000)
    def handler():
        return payload[0] + number
    return handler
end, number = time.monotonic() + 1.6, 0
while time.monotonic() < end:
    handlers[number] = make_handler(number)
    number += 1
    time.sleep(0.003)
