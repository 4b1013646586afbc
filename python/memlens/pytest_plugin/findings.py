"""What limits found out about tests, for their reports."""
import pytest


class Findings:
    def __init__(self):
        self.sections = {}  # by test

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        if call.when != "call":
            return
        section = self.sections.pop(item.nodeid, None)
        if section:
            outcome.get_result().sections.append(section)
