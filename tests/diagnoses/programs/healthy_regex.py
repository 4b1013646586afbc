# expect: healthy
import re
pattern = re.compile(r"(\w+)=(\d+)")
for number in range(3000):
    assert pattern.findall("alpha=1 beta=22 gamma=%d" % number)
