#!/usr/bin/env python3
"""House rules a compiler does not check: scripts parse, no machine's own paths, no stray whitespace."""
import ast
import re
import subprocess
import sys

# A home folder or a checkout's place means nothing on another machine.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work)/[\w.]")
TEXT = (".py", ".sh", ".h", ".cpp", ".c", ".md", ".cmake", ".txt", ".js", ".css", ".html", ".json")


def listed():
    result = subprocess.run(["git", "ls-files", "-s"], check=True, text=True,
                            stdout=subprocess.PIPE)
    for line in result.stdout.splitlines():
        mode, _, _, path = line.split(None, 3)
        if mode.startswith("100"):
            yield path


def problems(path):
    with open(path, "rb") as file:
        data = file.read()
    shebang = data.split(b"\n", 1)[0] if data.startswith(b"#!") else b""
    if not path.endswith(TEXT) and not shebang:
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"{path}: not UTF-8: {error}"
        return
    if path.endswith(".py") or b"python" in shebang:
        try:
            ast.parse(text)
        except SyntaxError as error:
            yield f"{path}:{error.lineno}: {error.msg}"
    elif path.endswith(".sh") or b"sh" in shebang:
        checked = subprocess.run(["bash", "-n", path], stderr=subprocess.PIPE, text=True)
        if checked.returncode:
            yield checked.stderr.strip()
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{path}:{number}: a path of one machine: {line.strip()[:80]}"
        if line != line.rstrip() and not path.endswith(".md"):
            yield f"{path}:{number}: space at the end of the line"
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"


def main():
    found = [problem for path in listed() for problem in problems(path)]
    print("\n".join(found) or "text: scripts parse, no machine paths")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
