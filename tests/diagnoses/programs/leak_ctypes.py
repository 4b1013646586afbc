# expect: leak take
# Memory of C under a Python program.
import ctypes, time
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def take(size):
    return libc.malloc(ctypes.c_size_t(size))
end = time.monotonic() + 1.6
while time.monotonic() < end:
    take(10_000)
    time.sleep(0.003)
