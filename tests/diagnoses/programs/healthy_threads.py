# expect: healthy
import threading
def work():
    for _ in range(50):
        rows = [bytearray(1000) for _ in range(100)]
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
