"""pytest and memlens: what each test takes, and limits for it.

    pytest --memlens                        the tests that peaked highest, and their stacks
    @pytest.mark.limit_memory("24 MB")      fails a test that peaks higher
    @pytest.mark.limit_leaks("1 MB")        fails one that leaves more at one place

Recording begins in the running pytest when tests have been collected, if the option asks for it or
one of them has such a marker, and ends with the session: one capture, with a range for each test.
With workers of pytest-xdist, pytest starts itself again under `memlens run` instead, so that they are
in the same capture.
"""
import pytest

from .. import enabled
from . import beside_memray, restart

#: pytest-memray's options that mean the same here, under the same names.
_SHARED_OPTIONS = (
    ("--memlens-bin-path", dict(metavar="DIR", default=None,
                                help="folder for the captures (default: in pytest's cache)")),
    ("--most-allocations", dict(metavar="N", type=int, default=5,
                                help="how many tests are listed (default: 5)")),
    ("--stacks", dict(metavar="N", type=int, default=3,
                      help="how many stacks are shown of a test (default: 3)")),
    ("--native", dict(action="store_true", default=False,
                      help="record native frames as well")),
)


def pytest_addoption(parser, pluginmanager):
    group = parser.getgroup("memlens", "memory of tests")
    group.addoption("--memlens", action="store_true", default=False,
                    help="measure the memory of every test")
    for name, settings in _SHARED_OPTIONS:
        if name.startswith("--memlens") or not beside_memray.has_options(pluginmanager):
            group.addoption(name, **settings)
    group.addoption("--memlens-no-python-allocators", action="store_true", default=False,
                    help="only malloc and its like, not each Python object: quicker, coarser")
    group.addoption("--memlens-baseline", metavar="FILE", default=None,
                    help="fail tests that take more than they did in FILE: the capture of a session "
                         "or what --memlens-write-baseline wrote")
    group.addoption("--memlens-write-baseline", metavar="FILE", default=None,
                    help="write what each test took, for --memlens-baseline")
    group.addoption("--memlens-tolerance", metavar="PERCENT", type=float, default=5.0,
                    help="how much more than the baseline is allowed (default: 5)")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    options = early_config.known_args_namespace
    if measuring_is_asked_for(options) and restart.has_workers(options):
        restart.restart_recorded(early_config, "--memlens")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    options = config.known_args_namespace
    if (restart.has_workers(options)
            and not beside_memray.measures(config, measuring_is_asked_for(options))
            and restart.wants_limits(config)):
        restart.restart_recorded(config, "limit_memory and limit_leaks")


def measuring_is_asked_for(options):
    return bool(options.memlens or options.memlens_baseline or options.memlens_write_baseline)


def pytest_configure(config):
    for line in (
            "limit_memory(limit): the test fails when the memory it allocates peaks higher than "
            "this size, '24 MB'",
            "limit_leaks(limit, filter_fn=None, warmups=0, current_thread_only=False): the test "
            "fails when it leaves more than this size allocated at one place; filter_fn(stack) "
            "returns False for places that do not count"):
        config.addinivalue_line("markers", line)
    asked_for = measuring_is_asked_for(config.known_args_namespace)
    if beside_memray.measures(config, asked_for):
        return
    if enabled():
        from .measuring import Measuring
        config.pluginmanager.register(Measuring(config), "memlens_measuring")
    else:
        from .unrecorded import Unrecorded
        config.pluginmanager.register(Unrecorded(config, asked_for), "memlens_unrecorded")
