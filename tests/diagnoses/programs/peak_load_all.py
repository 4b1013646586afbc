# expect: peak read_rows
def read_rows(count):
    return [("row %d " % number) * 10 for number in range(count)]
def main():
    rows = read_rows(100_000)
    return max(len(row) for row in rows)
main()
[bytearray(100) for _ in range(1000)]
