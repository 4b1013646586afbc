# expect: healthy
import zlib
data = bytes(range(256)) * 400
for _ in range(100):
    assert zlib.decompress(zlib.compress(data)) == data
