# expect: leak remember
import time
history = []
def remember(entry):
    history.append(entry * 500)
end = time.monotonic() + 1.6
while time.monotonic() < end:
    remember("entry ")
    time.sleep(0.003)
