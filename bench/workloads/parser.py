"""A recursive-descent parser of arithmetic, and an evaluator of its trees."""
import random
import re

TOKEN = re.compile(r"\s*(?:(\d+)|(.))")
OPERATIONS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b % 1_000_003}


class Number:
    def __init__(self, value):
        self.value = value

    def evaluate(self):
        return self.value


class Operation:
    def __init__(self, sign, left, right):
        self.sign = sign
        self.left = left
        self.right = right

    def evaluate(self):
        return OPERATIONS[self.sign](self.left.evaluate(), self.right.evaluate())


class Parser:
    def __init__(self, text):
        self.tokens = [(number, sign) for number, sign in TOKEN.findall(text)]
        self.position = 0

    def sign(self):
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def expression(self):
        left = self.term()
        while self.sign() in ("+", "-"):
            sign = self.sign()
            self.position += 1
            left = Operation(sign, left, self.term())
        return left

    def term(self):
        left = self.factor()
        while self.sign() == "*":
            self.position += 1
            left = Operation("*", left, self.factor())
        return left

    def factor(self):
        number, sign = self.tokens[self.position]
        self.position += 1
        if sign != "(":
            return Number(int(number))
        inside = self.expression()
        self.position += 1
        return inside


def draw(choose, depth):
    if depth == 0:
        return str(choose.randrange(100))
    sign = choose.choice("+-*")
    return f"({draw(choose, depth - 1)} {sign} {draw(choose, depth - 1)})"


choose = random.Random(1)
print(sum(Parser(draw(choose, 9)).expression().evaluate() for _ in range(120)))
