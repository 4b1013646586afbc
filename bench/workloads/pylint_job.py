"""A program of size: pylint on a package of the standard library."""
import json
import os
import sys

from pylint.lint import Run

Run(["--disable=all", "--enable=E,W,R", "--score=n", "-j1", os.path.dirname(json.__file__)],
    exit=False)
print("linted", file=sys.stderr)
