"""Call-heavy: deep and wide recursion, almost no allocation."""


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(fib(33))
