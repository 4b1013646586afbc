"""pytest, started again under `memlens run`: where workers of pytest-xdist are to be in one capture.

The recorded process has the same command line, environment, terminal and exit code. It is started
as early as can be: for --memlens before the first conftest is imported. Markers are looked for in
the text of the files that workers will collect, since they begin before anything is collected.
"""
import os
import sys
import time

import pytest

from .. import enabled
from .._program import ProgramNotFound, find_program
from .captures import new_capture

#: In the environment of the recorded pytest: where its capture is.
CAPTURE_VARIABLE = "MEMLENS_PYTEST_CAPTURE"
_MARKERS = (b"limit_memory", b"limit_leaks")
#: Folders of more files than this are not searched for markers within the patience.
_SEARCH_SECONDS = 1.0
_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "build", "dist", "venv", "site-packages"}
_NOT_RUNNING_TESTS = ("help", "version", "collectonly", "markers", "showfixtures", "setuponly",
                      "setupplan", "show_fixtures_per_test", "cacheshow")


def restart_recorded(config, asked_by):
    """Does not return where pytest can be started again; else says why, or returns."""
    if enabled() or _is_xdist_worker() or not runs_tests(config):
        return
    if CAPTURE_VARIABLE in os.environ:
        raise pytest.UsageError(
            "%s: pytest was started under memlens and is not recorded; "
            "`memlens run -- %s -c pass` says why" % (asked_by, sys.executable))
    if not pytest_is_the_program():
        raise pytest.UsageError(
            "%s: pytest was called by another program, which memlens does not start a second "
            "time; start it with `memlens run -- ...`" % asked_by)
    try:
        program = find_program()
    except ProgramNotFound as error:
        raise pytest.UsageError("%s: %s" % (asked_by, error)) from None
    capture = new_capture(config)
    # The capture plugin has put files in the place of stdout and stderr.
    capturing = config.pluginmanager.getplugin("capturemanager")
    if capturing is not None:
        capturing.stop_global_capturing()
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ[CAPTURE_VARIABLE] = capture
    options = config.known_args_namespace
    native = getattr(options, "native", False)
    arguments = [program, "run", "-q", "-f", "-o", capture, "--native" if native else "--no-native"]
    if getattr(options, "memlens_no_python_allocators", False):
        arguments.append("--no-python-allocators")
    os.execv(program, arguments + ["--"] + _own_command_line())


def has_workers(options):
    """Whether tests are run by workers of pytest-xdist."""
    return bool(getattr(options, "numprocesses", None) or getattr(options, "tx", None))


def wants_limits(config):
    """Whether tests that will be collected seem to have limits."""
    if enabled() or _is_xdist_worker() or not runs_tests(config):
        return False
    return pytest_is_the_program() and _has_program() and _names_markers(config)


def pytest_is_the_program():
    """False in a pytest that a program, or a test, calls as a function."""
    if _calls_of_pytest() > 1:
        return False
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    name = spec.name if spec else os.path.basename(getattr(main, "__file__", None) or "")
    return name.split(".")[0] in ("pytest", "py", "coverage", "_jb_pytest_runner",
                                  "run_pytest_script")


def _calls_of_pytest():
    calls = 0
    frame = sys._getframe()
    while frame is not None:
        code = frame.f_code
        calls += code.co_name == "main" and code.co_filename.replace(os.sep, "/").endswith(
            "_pytest/config/__init__.py")
        frame = frame.f_back
    return calls


def _is_xdist_worker():
    return "PYTEST_XDIST_WORKER" in os.environ


def runs_tests(config):
    return not any(getattr(config.known_args_namespace, name, False) for name in _NOT_RUNNING_TESTS)


def _has_program():
    try:
        return bool(find_program())
    except ProgramNotFound:
        return False


def _own_command_line():
    with open("/proc/self/cmdline", "rb") as file:
        words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    # PATH may have another python first by now.
    return [sys.executable or words[0]] + words[1:]


def _names_markers(config):
    """Whether a Python file among what is to be collected, or a conftest.py above, names one."""
    deadline = time.monotonic() + _SEARCH_SECONDS
    seen = set()
    for argument in config.args:
        path = os.path.abspath(argument.split("::")[0])
        if not os.path.exists(path):
            continue  # --pyargs: found when it is collected
        above = os.path.dirname(path)
        while above not in seen:
            seen.add(above)
            if _file_names_markers(os.path.join(above, "conftest.py")):
                return True
            if above == str(config.rootpath) or above == os.path.dirname(above):
                break
            above = os.path.dirname(above)
        if _path_names_markers(path, deadline):
            return True
    return False


def _path_names_markers(path, deadline):
    if not os.path.isdir(path):
        return _file_names_markers(path)
    for folder, subfolders, files in os.walk(path):
        if time.monotonic() > deadline:
            return False  # then they are found when they are collected
        subfolders[:] = [name for name in subfolders
                         if not name.startswith(".") and name not in _SKIPPED_FOLDERS
                         and not name.endswith(".egg")]
        for name in files:
            if name.endswith(".py") and _file_names_markers(os.path.join(folder, name)):
                return True
    return False


def _file_names_markers(path):
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return False
    return any(marker in text for marker in _MARKERS)
