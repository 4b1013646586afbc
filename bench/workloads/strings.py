"""malloc-heavy: json and strings, mostly beyond the small-object allocator."""
import json

record = {"name": "memlens" * 10, "values": list(range(200)), "nested": {"text": "x" * 900}}
total = 0
for i in range(6000):
    record["values"][i % 200] = i
    text = json.dumps([record] * 4)
    back = json.loads(text)
    parts = text.split(",")
    total += len(back) + len(",".join(parts).upper())
print(total)
