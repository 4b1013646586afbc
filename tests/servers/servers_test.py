"""The smallest servers of run_servers.py: their clients notice nothing of memlens."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from comparison import differences, run_server  # noqa: E402
from memlens_testing import MEMLENS, MemlensTest, main  # noqa: E402
from servers import PreforkPython, Redis  # noqa: E402


class UnderLoad(MemlensTest):
    def compare(self, kind):
        for command in kind.missing():
            self.skipTest(f"{command} is not installed")
        capture = os.path.join(self.directory, "s.mlens")
        plain = run_server(kind)
        recorded = run_server(kind, [MEMLENS, "run", "-q", "-o", capture, "--"])
        self.assertEqual(differences(kind, plain, recorded), [], recorded.stderr)
        return capture

    def test_redis(self):
        self.assertGreater(self.summary(self.compare(Redis))["allocations"], 3000)

    def test_a_forking_http_server_in_python(self):
        capture = self.compare(PreforkPython)
        self.assertEqual(self.summary(capture)["processes"], 4)
        self.assertEqual(self.memlens("summary", capture).stdout.count("ended by SIGTERM"), 3)


if __name__ == "__main__":
    main()
