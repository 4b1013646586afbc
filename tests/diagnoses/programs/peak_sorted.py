# expect: peak main|key
def main():
    numbers = [(i * 7919) % 1_000_003 for i in range(300_000)]
    ordered = sorted(numbers)
    return ordered[0]
for _ in range(2):
    main()
