"""pandas: group, join and pivot a table of half a million rows, then format a part of it."""
import numpy as np
import pandas as pd

rng = np.random.default_rng(1)
rows = 500_000
sales = pd.DataFrame({"shop": rng.integers(0, 500, rows), "item": rng.integers(0, 3000, rows),
                      "day": rng.integers(0, 365, rows), "price": rng.random(rows) * 100})
items = pd.DataFrame({"item": range(3000), "name": [f"item {i}" for i in range(3000)]})
for _ in range(3):
    joined = sales.merge(items, on="item")
    totals = joined.groupby(["shop", "name"])["price"].agg(["sum", "mean"])
    table = joined.pivot_table(index="shop", columns="day", values="price", aggfunc="sum")
text = totals.head(20000).to_csv()
print(len(totals), table.shape, len(text))
