# expect: healthy
import json
for number in range(300):
    text = json.dumps([{"n": i, "s": "x" * 50} for i in range(200)])
    assert len(json.loads(text)) == 200
