# expect: churn encode
def encode(number):
    return len(bytearray(50_000)) + number
total = sum(encode(number) for number in range(60_000))
