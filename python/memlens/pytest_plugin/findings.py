"""What limits found out about tests, for their reports."""
import pytest


class Findings:
    def __init__(self):
        self.by_test = {}  # properties and sections

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        if call.when != "call":
            return
        properties, sections = self.by_test.pop(item.nodeid, ((), ()))
        report = outcome.get_result()
        report.user_properties.extend(properties)
        report.sections.extend(sections)
