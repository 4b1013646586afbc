"""Where pytest is not recorded yet: it is from here on, if tests are to be measured."""
import pytest

from .._capture import MemlensError
from .._tracker import Tracker
from .captures import new_capture
from .limits import has_limits, limits_of
from .measuring import Measuring
from .restart import runs_tests


class Unrecorded:
    def __init__(self, config, asked_for):
        self.config = config
        # Now, so that what is wrong with its options is said at once.
        self.measuring = Measuring(config) if asked_for else None
        self.recorded = False
        self.obstacle = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session):
        """What pytest and the tests' modules allocate until now is no test's."""
        if self.recorded or not runs_tests(self.config):
            return
        if self.measuring or any(has_limits(item) for item in session.items):
            self._begin()

    def _begin(self):
        options = self.config.known_args_namespace
        try:
            tracker = Tracker(
                new_capture(self.config), native=bool(getattr(options, "native", False)),
                python_allocators=not getattr(options, "memlens_no_python_allocators", False))
            tracker.start()
        except MemlensError as error:
            if self.measuring:
                raise pytest.UsageError("--memlens: %s" % error) from None
            self.obstacle = str(error)
            return
        self.recorded = True
        measuring = self.measuring or Measuring(self.config)
        measuring.tracker = tracker
        self.config.pluginmanager.register(measuring, "memlens_measuring")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item):
        if not self.recorded and limits_of(item):
            pytest.fail("memory limits: this process is not recorded by memlens: %s" %
                        (self.obstacle or "the test got its limits after tests were collected; "
                                          "`pytest --memlens` records from there on"), pytrace=False)
