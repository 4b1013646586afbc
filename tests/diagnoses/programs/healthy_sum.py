# expect: healthy
print(sum(i * i for i in range(300_000)))
