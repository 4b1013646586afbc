#!/usr/bin/env python3
"""House rules a compiler does not check: scripts parse, no machine's own paths, no stray space, no
word of a file that is not there, and the kernel and the processor are named in one place."""
import ast
import re
import subprocess
import sys

# A home folder or a checkout's place means nothing on another machine.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work)/[\w.]")
TEXT = (".py", ".sh", ".h", ".cpp", ".c", ".md", ".cmake", ".txt", ".js", ".css", ".html", ".json",
        ".map")

# Files spoken of in documents and comments: by their names, or from a folder of the project on.
SPOKEN_OF = re.compile(r"(?<![\w./<>*{}%$+-])((?:[\w-]+/)*[\w-]+\.(?:h|cpp|md|cmake|js))\b"
                       r"(?![\w/*\"])")
ANOTHERS = {"elf.h", "a.cpp", "a.js", "b.js", "page_shell.cpp", "bits/stl_vector.h"}
SPEAKS = ("interposer/", "reader/", "report/", "docs/", "include/", "bench/", "python/", ".ci/")

# What only interposer/platform/ and what is for one processor may name (and attach/, which makes
# system calls in another process).
SEAM = re.compile(r"\bSYS_[a-z]\w+|(?<![\w.])syscall\(|__x86_64__|__aarch64__|__rdtsc|\bR_X86_64_"
                  r"|\bkR[bsi]p\b")
BELOW_SEAM = re.compile(r"interposer/(platform|attach)/|x86_64|stacks/processor\.h")

FILES = set()
FOLDERS = set()


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
    yield from dead_references(path, text)
    ours = path.startswith("interposer/") and path.endswith((".h", ".cpp"))
    if ours and not BELOW_SEAM.search(path):
        for number, line in enumerate(text.splitlines(), 1):
            if SEAM.search(line.split("//")[0]):
                yield f"{path}:{number}: belongs into interposer/platform: {line.strip()[:80]}"


def dead_references(path, text):
    if path.endswith((".h", ".cpp")):
        comment = "//"
    elif path.endswith((".cmake", "CMakeLists.txt", ".py", ".map")):
        comment = "#"
    elif path.endswith(".md"):
        comment = ""
    else:
        return
    if not path.startswith(SPEAKS) and "/" in path:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if comment not in line:
            continue
        for name in SPOKEN_OF.findall(line[line.index(comment):]):
            folder = name.split("/")[0]
            if name in ANOTHERS or ("/" in name and folder not in FOLDERS):
                continue
            if not any(known == name or known.endswith("/" + name) for known in FILES):
                yield f"{path}:{number}: there is no {name}"


def main():
    FILES.update(listed())
    FOLDERS.update(part for path in FILES for part in path.split("/")[:-1])
    found = [problem for path in listed() for problem in problems(path)]
    print("\n".join(found) or "text: scripts parse, no machine paths, no dead references, one seam")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
