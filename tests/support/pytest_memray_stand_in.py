"""What pytest-memray looks like to other plugins (1.11), without memray: the same options, markers and
manager. A limited test fails when it says so, whatever it allocated."""
import pytest


def pytest_addoption(parser):
    group = parser.getgroup("memray")
    group.addoption("--memray", action="store_true", default=False)
    group.addoption("--most-allocations", type=int, default=5)
    group.addoption("--stacks", type=int, default=1)
    group.addoption("--native", action="store_true", default=False)


class Manager:
    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(hookwrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        limited = any(marker.name == "limit_memory" for marker in pyfuncitem.iter_markers())
        if limited or self.config.getvalue("memray"):
            print("measured by memray")
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        if call.when == "call" and any(item.iter_markers("limit_memory")):
            report.outcome, report.longrepr = "failed", "Test was limited"
            report.sections.append(("memray-max-memory", ""))

    def pytest_terminal_summary(self, terminalreporter):
        if self.config.getvalue("memray"):
            terminalreporter.write_sep("=", "MEMRAY REPORT")


def pytest_configure(config):
    config.pluginmanager.register(Manager(config), "memray_manager")
    config.addinivalue_line("markers", "limit_memory(memory_limit): the other's")
    config.addinivalue_line("markers", "limit_leaks(location_limit): the other's")
