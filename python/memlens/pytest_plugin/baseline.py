"""--memlens-baseline: what each test took in another session, and how much more is an error."""
import json
import os

import pytest

from .._sizes import format_size
from .ranges import MemlensError, ranges_of_file
from .sections import command, shown_path, stack_lines

#: By so much two runs of one test differ.
_SLACK_BYTES = 4096


class Baseline:
    def __init__(self, path, tolerance, written):
        self.path = path
        self.written = written
        self.tolerance = tolerance
        self.locations = {}  # by test, as pytest reports them
        self.peaks = {}
        if path:
            try:
                for each in ranges_of_file(path)["ranges"]:
                    name = each["name"]
                    self.peaks[name] = max(self.peaks.get(name, 0), each["peak_bytes"])
            except (OSError, ValueError, KeyError, TypeError, MemlensError) as error:
                raise pytest.UsageError("--memlens-baseline %s: %s" % (path, error)) from None

    @classmethod
    def from_config(cls, config):
        path = config.getoption("memlens_baseline")
        written = config.getoption("memlens_write_baseline")
        if not path and not written:
            return None
        return cls(path, config.getoption("memlens_tolerance"), written)

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.locations[report.nodeid] = report.location

    def report_increases(self, config, report, ranges, stacks, root):
        """Errors for tests that took more, after they were done. Whether there are any."""
        if self.written:
            self._write(report)
        peaks = {}
        for each in report["ranges"]:
            peaks[each["name"]] = max(peaks.get(each["name"], 0), each["peak_bytes"])
        grown = [(name, self.peaks[name], peak) for name, peak in peaks.items()
                 if name in self.peaks and peak > self._allowed(self.peaks[name])]
        if not grown:
            return False
        with_stacks = {each["name"]: each for each in _stacks_of(grown, report, ranges)}
        path = shown_path(report["capture"], root)
        for name, before, now in sorted(grown, key=lambda each: each[1] - each[2]):
            text = "memlens: the test peaked at %s, %s more than the %s of %s" % (
                format_size(now), format_size(now - before), format_size(before), self.path)
            lines = stack_lines(with_stacks.get(name, {}).get("peak", []), stacks, root)
            lines += ["", "more: %s" % command("ranges", path, name)]
            config.hook.pytest_runtest_logreport(report=pytest.TestReport(
                nodeid=name, location=self.locations.get(name, (name.split("::")[0], None, name)),
                keywords={}, outcome="failed", longrepr=text, when="teardown",
                sections=[("memlens: what held most", "\n".join(lines))]))
        return True

    def _allowed(self, peak):
        return peak + max(_SLACK_BYTES, peak * self.tolerance / 100)

    def _write(self, report):
        kept = ("name", "peak_bytes", "leaked_bytes", "allocations")
        ranges = sorted(({key: each[key] for key in kept} for each in report["ranges"]),
                        key=lambda each: each["name"])
        lines = ",\n".join("  " + json.dumps(each) for each in ranges)
        text = '{"schema": "memlens.ranges/1", "ranges": [\n%s\n]}\n' % lines
        temporary = "%s.%d" % (self.written, os.getpid())
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, self.written)


def _stacks_of(grown, report, ranges):
    names = {name for name, _, _ in grown}
    last = max(place for place, each in enumerate(report["ranges"]) if each["name"] in names)
    try:
        return ranges(last + 1, 3)["ranges"]
    except MemlensError:
        return []
