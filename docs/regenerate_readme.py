#!/usr/bin/env python3
"""Runs the commands that README.md shows and puts their real output in place.

    docs/regenerate_readme.py [BUILD_DIRECTORY]

A block to regenerate is

    <!-- run: memlens summary app.mlens -->
    ```console
    ...
    ```

with as many commands as there are "run:" comments in a row before it. They run in one temporary
folder, one after another, with the build's memlens first on PATH and Debian's own Python; a line
"<!-- lines: N -->" keeps the first N lines of the block's output.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent
README = SOURCE / "README.md"
BLOCK = re.compile(r"((?:<!-- run: .*? -->\n)+)(?:<!-- lines: (\d+) -->\n)?```console\n.*?```\n",
                   re.DOTALL)


def output_of(command, folder, environment):
    result = subprocess.run(["bash", "-c", command], cwd=folder, env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        sys.exit(f"{command}: exit code {result.returncode}\n{result.stdout}")
    return f"$ {command}\n" + "".join(line.rstrip() + "\n" for line in result.stdout.splitlines())


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE / "build").resolve()
    environment = {
        "PATH": f"{build / 'bin'}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8", "COLUMNS": "100", "TERM": "dumb",
    }
    with tempfile.TemporaryDirectory(prefix="memlens-readme-") as folder:
        shutil.copy(SOURCE / "examples" / "index_words.py", folder)
        shutil.copy(build / "examples" / "order_book", folder)

        def regenerate(match):
            commands = re.findall(r"<!-- run: (.*?) -->", match[1])
            text = "\n".join(output_of(command, folder, environment) for command in commands)
            if match[2]:
                lines = text.splitlines(keepends=True)
                text = "".join(lines[:int(match[2])])
                if len(lines) > int(match[2]):
                    text += "...\n"
            kept = f"<!-- lines: {match[2]} -->\n" if match[2] else ""
            return f"{match[1]}{kept}```console\n{text}```\n"

        text = README.read_text(encoding="utf-8")
        changed = BLOCK.sub(regenerate, text)
    README.write_text(changed, encoding="utf-8")
    print(f"README.md: {len(BLOCK.findall(text))} blocks")


if __name__ == "__main__":
    main()
