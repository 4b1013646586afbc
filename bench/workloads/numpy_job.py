"""numpy: temporaries of all sizes, small vectors in a Python loop."""
import numpy as np

rng = np.random.default_rng(1)
total = 0.0
for _ in range(60):
    a = rng.random((200, 200))
    b = a @ a.T + np.sqrt(a) * 2 - a.mean(axis=0)
    total += float(b.sum())
for i in range(60000):
    v = np.arange(16) + i
    total += float((v * v)[::2].sum())
print(round(total))
