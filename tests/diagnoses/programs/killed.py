# expect: killed fill
import os, signal, time
kept = []
def fill():
    kept.append(bytearray(500_000))
for _ in range(100):
    fill()
    time.sleep(0.005)
os.kill(os.getpid(), signal.SIGKILL)
