# expect: rss_gap
import mmap, tempfile, time
file = tempfile.TemporaryFile()
file.truncate(120_000_000)
view = mmap.mmap(file.fileno(), 120_000_000)
total = sum(view[i] for i in range(0, 120_000_000, 4096))
time.sleep(0.2)
held = bytearray(3_000_000)
time.sleep(0.2)
