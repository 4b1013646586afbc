"""Where pytest is not recorded: limits cannot be held, and a test that has some says so."""
import pytest

from .limits import limits_of
from .restart import pytest_is_the_program, restart_recorded


class Unrecorded:
    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session):
        """Markers that were not to be seen in the files' text."""
        if hasattr(self.config, "workerinput") or not pytest_is_the_program():
            return
        if any(_has_limits(item) for item in session.items):
            restart_recorded(self.config, "limit_memory and limit_leaks")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item):
        if limits_of(item):
            pytest.fail("memory limits: this process is not recorded by memlens; run "
                        "`pytest --memlens`, or start the program that calls pytest with "
                        "`memlens run -- ...`", pytrace=False)


def _has_limits(item):
    return any(item.iter_markers("limit_memory")) or any(item.iter_markers("limit_leaks"))
