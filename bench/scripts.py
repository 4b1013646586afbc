"""Python workloads, and the modes of memlens and its peers to run them in."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
# name: the module it needs that Python does not bring
SCRIPTS = {
    "calls": None, "objects": None, "strings": None, "recursion": None, "deep": None,
    "threads": None, "parallel": None, "parser": None, "asyncio_server": None,
    "real_ast": None, "real_index": None, "numpy_job": "numpy", "pandas_job": "pandas",
    "pylint_job": "pylint", "sympy_job": "sympy", "startup": None,
}


def path_of(script):
    return os.path.join(HERE, "workloads", script + ".py")


def missing_module(tools, script):
    """The name of the module without which the script cannot run, or None."""
    module = SCRIPTS[script]
    if module is None or subprocess.run([tools.python, "-c", f"import {module}"],
                                        capture_output=True).returncode == 0:
        return None
    return module


def modes(tools, script, output):
    """The commands to compare, by mode."""
    memlens = [tools.memlens, "run", "-q", "-f", "-o", output, "--python", tools.python]
    commands = {
        "untracked": [tools.python, script],
        "memlens": memlens + [script],
        "memlens malloc-level": memlens + ["--no-python-allocators", script],
        "memlens native": memlens + ["--native", script],
        "memlens malloc-level native": memlens + ["--no-python-allocators", "--native", script],
    }
    if tools.memray:
        memray = [tools.memray, "run", "-q", "-f", "-o", output]
        commands["memray"] = memray + [script]
        commands["memray native"] = memray + ["--native", script]
        commands["memray all objects"] = memray + ["--trace-python-allocators", script]
        commands["memray all objects native"] = memray + ["--trace-python-allocators", "--native",
                                                          script]
    commands["tracemalloc"] = [tools.python, "-X", "tracemalloc=1", script]
    return commands
