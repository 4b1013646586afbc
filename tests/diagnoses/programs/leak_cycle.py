# expect: leak Node.__init__
# Cycles, and a collector that is switched off.
import gc, time
gc.disable()
class Node:
    def __init__(self):
        self.me = self
        self.payload = bytearray(10_000)
end = time.monotonic() + 1.6
while time.monotonic() < end:
    Node()
    time.sleep(0.003)
