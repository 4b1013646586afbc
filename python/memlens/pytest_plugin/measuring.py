"""A recorded session: a range a test, limits judged when a test ends, a table in the end."""
import gc
import threading

import pytest

from .._recording import mark
from .baseline import Baseline
from .findings import Findings
from .junit import add_junit_properties
from .limits import limits_of
from .ranges import MemlensError, range_of_test, ranges_of_file, ranges_of_session
from .restart import CAPTURE_VARIABLE
from .sections import command, shown_path, stack_lines
from .summary import print_summary

_RANGE_END = " (end)"
#: Of a test's report, and what they are called in its range.
_PROPERTIES = {"memlens_" + key: key for key in ("peak_bytes", "leaked_bytes", "allocations")}
#: memlens keeps so much of a mark's name.
_LONGEST_NAME = 900


class Measuring:
    """Registered where this process is recorded, in every worker of xdist too.

    tracker: of a recording that this pytest has begun, which ends with the session.
    """

    def __init__(self, config):
        import os
        self.tracker = None
        self.config = config
        self.root = str(config.invocation_params.dir)
        self.is_worker = hasattr(config, "workerinput")
        self.wants_all = config.getoption("memlens")
        self.stacks = max(1, config.getoption("stacks", 3) or 3)
        self.listed = max(0, config.getoption("most_allocations", 5) or 0) if self.wants_all else 0
        self.findings = None  # registered when there is one: a hook costs each test its calls
        self.session_ranges, self.session_error = None, "the session was broken off"
        self.baseline = None if self.is_worker else Baseline.from_config(config)
        if self.baseline:
            config.pluginmanager.register(self.baseline, "memlens_baseline")
        if not self.is_worker:
            # A pytest that a test starts has nothing to do with this one's capture.
            os.environ.pop(CAPTURE_VARIABLE, None)

    # ---- one test

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item):
        """Marks the test's body alone: fixtures, what pytest does before and after it, and other
        plugins' work are not the test's."""
        limits = limits_of(item)
        name = range_name(item.nodeid)
        run_test, own_attributes = item.runtest, item.__dict__
        shadowed = own_attributes.get("runtest")
        for _ in range(max([limit.warmups for limit in limits] or [0])):
            run_test()
        collects = any(limit.needs_collection for limit in limits)

        def run_measured():
            __tracebackhide__ = True
            if collects:
                gc.collect()
            mark(name)
            try:
                run_test()
            finally:
                if collects:
                    gc.collect()
                mark(name + _RANGE_END)

        item.runtest = run_measured
        outcome = yield
        if shadowed is not None:
            item.runtest = shadowed
        else:
            own_attributes.pop("runtest", None)
        if not limits or outcome.excinfo is not None:
            return
        try:
            verdict = self._judge(item, name, limits)
        except MemlensError as error:
            verdict = "memory limits: what the test took is not known: %s" % error
        except Exception as error:  # of the test's filter
            return _raise(outcome, error)
        if verdict:
            _fail(outcome, verdict)

    def _judge(self, item, name, limits):
        thread = None
        if any(limit.current_thread_only for limit in limits):
            thread = threading.get_native_id()
        measured = range_of_test(name, 0, thread)
        # Of the item, since JUnit's file has those of the report that comes last.
        item.user_properties[:] = [each for each in item.user_properties
                                   if each[0] not in _PROPERTIES]  # of a run that is repeated
        item.user_properties += [(name, measured[key]) for name, key in _PROPERTIES.items()]
        messages, lines = [], []
        for limit in limits:
            found = limit.verdict(measured)
            if found is None:
                continue
            message, what, stacks = found
            messages.append(message)
            lines += ["%s:" % what, *stack_lines(stacks, self.stacks, self.root), ""]
        if messages:
            path = shown_path(measured["capture"], self.root)
            lines.append("more: %s" % command("ranges", path, name))
            self._add_section(item.nodeid, ("memlens: what held most", "\n".join(lines)))
        return "\n".join(messages)

    def _add_section(self, nodeid, section):
        if self.findings is None:
            self.findings = Findings()
            self.config.pluginmanager.register(self.findings, "memlens_findings")
        self.findings.sections[nodeid] = section

    # ---- the whole session

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        """Before the terminal's summary and JUnit's file are written."""
        try:
            if self.tracker:
                self.tracker.stop()
            if self.is_worker or not (self.wants_all or self.baseline):
                return
            self.session_ranges = self._ranges(self.listed, self.stacks)
        except MemlensError as error:
            self.session_ranges = None
            self.session_error = str(error)
            return
        add_junit_properties(self.config, self.session_ranges["ranges"])
        if self.baseline and self.baseline.report_increases(
                self.config, self.session_ranges, self._ranges, self.stacks, self.root):
            if session.exitstatus == 0:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _ranges(self, detailed, stacks):
        if self.tracker:
            return ranges_of_file(self.tracker.path, detailed, stacks)
        return ranges_of_session(detailed, stacks)

    def pytest_unconfigure(self):
        """Also where the session was broken off."""
        if self.tracker:
            try:
                self.tracker.stop()
            except MemlensError:
                pass  # there is nobody left to tell

    def pytest_terminal_summary(self, terminalreporter):
        if self.is_worker or not (self.wants_all or self.baseline):
            return
        if self.session_ranges is None:
            terminalreporter.section("memlens")
            terminalreporter.line("nothing to tell: %s" % self.session_error)
        elif self.wants_all:
            print_summary(terminalreporter, self.session_ranges, self.listed, self.stacks, self.root)


def range_name(nodeid):
    return nodeid.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")


def _fail(outcome, text):
    """The test fails with this text; what is around it sees an exception of its body."""
    try:
        pytest.fail(text, pytrace=False)
    except pytest.fail.Exception as exception:
        _raise(outcome, exception)


def _raise(outcome, exception):
    """Not by `raise`: that would pass over the wrappers of other plugins."""
    if hasattr(outcome, "force_exception"):
        outcome.force_exception(exception)
    else:  # pluggy before 1.1
        outcome._result = None
        outcome._excinfo = (type(exception), exception, exception.__traceback__)
