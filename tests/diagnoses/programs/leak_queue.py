# expect: leak produce
# The consumer is slower than the producer.
import queue, threading, time
jobs = queue.Queue()
end = time.monotonic() + 1.6
def produce():
    while time.monotonic() < end:
        jobs.put(bytearray(5000))
        time.sleep(0.002)
def consume():
    while time.monotonic() < end:
        jobs.get()
        time.sleep(0.02)
threads = [threading.Thread(target=f) for f in (produce, consume)]
for thread in threads: thread.start()
for thread in threads: thread.join()
