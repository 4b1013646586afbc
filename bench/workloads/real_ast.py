"""A real job: parse, walk and compile the standard library's own sources."""
import ast
import os
import sysconfig

root = sysconfig.get_paths()["stdlib"]
names = sorted(name for name in os.listdir(root) if name.endswith(".py"))[:110]
count = 0
for name in names:
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
        source = file.read()
    tree = ast.parse(source, name)
    count += sum(1 for _ in ast.walk(tree))
    compile(tree, name, "exec")
print(count)
