"""The interpreters of the version that a test of this folder is run for (MEMLENS_PYTHON_VERSION)."""
import json
import os
import re
import subprocess
import unittest

from memlens_testing import BUILD, pythons

VERSION = os.environ.get("MEMLENS_PYTHON_VERSION", "")
TOOLS = os.path.join(BUILD, "tests", "python_stacks")


def interpreters():
    """(name, path) of each interpreter of the version; of all versions when none is named."""
    found = [(name, path) for name, path in pythons().items()
             if not VERSION or name == VERSION or name.startswith(VERSION + "-")]
    if not found:
        raise unittest.SkipTest(f"no CPython {VERSION} on this machine")
    return found


def without_padding(name):
    """The environment in which an interpreter asks malloc for what it is asked for: debug builds put
    words around every block unless told not to."""
    return {"PYTHONMALLOC": "pymalloc"} if "-dbg" in name else {}


def reaches_malloc(name):
    """Whether large objects of an interpreter are malloc's blocks. Those of a free-threaded one are
    mimalloc's, which is part of it and maps its memory itself."""
    return not re.match(r"[0-9.]+t", name)


def blocks(capture, low, high, *native):
    """The allocations of low to high bytes, as print_blocks.cpp describes them."""
    printed = subprocess.run([os.path.join(TOOLS, "print_blocks"), capture, str(low), str(high),
                              *native],
                             stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]
