"""Symbolic algebra: expansion, derivatives and an integral, many small trees of objects."""
import sympy

x, y, z = sympy.symbols("x y z")
total = 0
for power in range(6, 13):
    expanded = sympy.expand((x + 2 * y - z) ** power)
    total += len(expanded.args) + len(sympy.factor_list(expanded)[1])
    total += sympy.count_ops(sympy.diff(sympy.sin(expanded) * x, x, y))
total += sympy.count_ops(sympy.integrate(x ** 3 * sympy.exp(x) * sympy.cos(x), x))
print(total)
