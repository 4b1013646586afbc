# expect: leak note
import threading, time
local = threading.local()
def note(text):
    if not hasattr(local, "notes"):
        local.notes = []; kept.append(local.notes)
    local.notes.append(text * 300)
kept = []
def work():
    end = time.monotonic() + 1.6
    while time.monotonic() < end:
        note("something ")
        time.sleep(0.003)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
time.sleep(0.01)
