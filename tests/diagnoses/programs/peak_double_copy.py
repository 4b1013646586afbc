# expect: peak load|frozen
def load():
    return bytearray(30_000_000)
def frozen(data):
    return bytes(data)
def main():
    data = load()
    copy = frozen(data)
    return len(copy)
main()
