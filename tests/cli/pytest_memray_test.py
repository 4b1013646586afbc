"""The pytest plugin beside pytest-memray, whose markers and options have the same names: whoever is asked for
by its option measures. With a stand-in here; MEMLENS_MEMRAY_PYTHON names a Python with the real one."""
import os
import shutil
import subprocess

from memlens_testing import MEMLENS, SOURCE, MemlensTest, main

SUITE = """
import memlens, pytest

@pytest.mark.limit_memory("5 MB")
def test_above():
    print("recorded by memlens:", memlens.enabled())
    bytearray(30_000_000)
"""
OURS, THEIRS = "limit_memory: the test peaked at 30.0 MB", "memray-max-memory"


class BesideTheStandIn(MemlensTest):
    python = "/usr/bin/python3"

    def setUp(self):
        super().setUp()
        self.need_plugin()
        self.script(SUITE, "test_it.py")

    def need_plugin(self):
        if not self.has_module("pytest"):
            self.skipTest("Debian's python3-pytest is not installed")
        package = os.path.join(self.directory, "installed", "pytest_memray")
        os.makedirs(package)
        shutil.copy(os.path.join(SOURCE, "tests", "support", "pytest_memray_stand_in.py"),
                    os.path.join(package, "plugin.py"))
        self.write(os.path.join(package, "__init__.py"), "")
        info = os.path.join(self.directory, "installed", "pytest_memray-1.11.0.dist-info")
        os.makedirs(info)
        self.write(os.path.join(info, "METADATA"),
                   "Metadata-Version: 2.1\nName: pytest-memray\nVersion: 1.11.0\n")
        self.write(os.path.join(info, "entry_points.txt"), "[pytest11]\nmemray = pytest_memray.plugin\n")

    def write(self, path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def has_module(self, name):
        return subprocess.run([self.python, "-c", "import " + name], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def pytest(self, *arguments, code=1, **variables):
        env = {**os.environ, "MEMLENS_PROGRAM": MEMLENS, "COLUMNS": "140", **variables,
               "PYTHONPATH": os.path.join(SOURCE, "python") + os.pathsep +
                             os.path.join(self.directory, "installed")}
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
            env.pop(name, None)
        result = subprocess.run(
            [self.python, "-m", "pytest", "-p", "memlens.pytest_plugin", *arguments],
            cwd=self.directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=self.time_limit_seconds, check=False)
        self.assertEqual(result.returncode, code, result.stdout)
        return result.stdout

    def check_theirs(self, said):
        self.assertIn(THEIRS, said)
        self.assertIn("recorded by memlens: False", said)
        self.assertNotIn("limit_memory: ", said)

    def check_ours(self, said):
        self.assertIn(OURS, said)
        self.assertIn("recorded by memlens: True", said)
        for theirs in (THEIRS, "measured by memray", "MEMRAY REPORT"):
            self.assertNotIn(theirs, said)

    def test_asked_for_neither_the_other_enforces_the_markers(self):
        self.check_theirs(self.pytest())

    def test_asked_for_by_its_option_the_other_measures(self):
        said = self.pytest("--memray")
        self.check_theirs(said)
        self.assertIn("MEMRAY REPORT", said)

    def test_asked_for_by_our_options_we_do(self):
        self.check_ours(self.pytest("--memlens"))
        self.check_ours(self.pytest("--memlens-write-baseline=memory.json"))
        self.assertTrue(os.path.exists(os.path.join(self.directory, "memory.json")))

    def test_asked_for_both_is_an_error_that_says_what_to_do(self):
        said = self.pytest("--memlens", "--memray", code=4)
        self.assertIn("ERROR: --memlens and --memray: only one of them can measure", said)

    def test_without_the_other_plugin_our_markers_and_options_are_there(self):
        self.check_ours(self.pytest("-p", "no:memray", "--stacks=2", "--most-allocations=1"))

    def test_where_plugins_are_loaded_by_name_alone(self):
        self.check_ours(self.pytest("--memlens", "--stacks=2", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"))
        named = ("-p", "pytest_memray.plugin", "--stacks=2")
        self.check_theirs(self.pytest(*named, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"))
        self.check_ours(self.pytest(*named, "--memlens", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"))

    def test_with_workers_it_is_the_same(self):
        if not self.has_module("xdist"):
            self.skipTest("Debian's python3-pytest-xdist is not installed")
        self.check_theirs(self.pytest("-n", "1"))
        self.check_ours(self.pytest("-n", "1", "--memlens"))


class OnDemandBesideTheRealOne(BesideTheStandIn):
    python = os.environ.get("MEMLENS_MEMRAY_PYTHON")

    def need_plugin(self):
        if not self.python or not self.has_module("pytest_memray"):
            self.skipTest("MEMLENS_MEMRAY_PYTHON names no Python with pytest-memray")


if __name__ == "__main__":
    main()
