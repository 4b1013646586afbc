"""The Debian package: what is in it, what it asks for, and that it works from where it is unpacked."""
import glob
import os
import re
import subprocess

from memlens_testing import BUILD, MemlensTest, main

METADATA = os.path.join(BUILD, "packaging", "metadata")


class Deb(MemlensTest):
    time_limit_seconds = 300

    def package(self):
        self.need("cpack", "dpkg-deb")
        if not os.path.exists(os.path.join(METADATA, "copyright")):
            self.skipTest("not built: cmake --build build --target deb_files")
        subprocess.run(["cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"),
                        "-B", self.directory], check=True, stdout=subprocess.DEVNULL,
                       cwd=self.directory)
        path, = glob.glob(os.path.join(self.directory, "*.deb"))
        return path

    def test_it_has_all_a_user_needs_and_asks_for_an_old_libc_only(self):
        path = self.package()
        self.assertRegex(os.path.basename(path), r"^memlens_[0-9.]+_amd64\.deb$")
        field = subprocess.run(["dpkg-deb", "-f", path, "Depends"], stdout=subprocess.PIPE,
                               text=True, check=True).stdout.strip()
        self.assertEqual(field, "libc6 (>= 2.17)")
        listed = subprocess.run(["dpkg-deb", "-c", path], stdout=subprocess.PIPE, text=True,
                                check=True).stdout
        for mode, name in (("-rwxr-xr-x", "bin/memlens"), ("-rw-r--r--", "lib/libmemlens.so"),
                           ("-rw-r--r--", "include/memlens.h"),
                           ("-rw-r--r--", "share/man/man1/memlens-run.1"),
                           ("-rw-r--r--", "share/bash-completion/completions/memlens"),
                           ("-rw-r--r--", "share/zsh/vendor-completions/_memlens"),
                           ("-rw-r--r--", "share/fish/vendor_completions.d/memlens.fish"),
                           ("-rw-r--r--", "share/doc/memlens/copyright"),
                           ("-rw-r--r--", "lib/python3/dist-packages/memlens/pytest_plugin/limits.py")):
            self.assertRegex(listed, rf"(?m)^{re.escape(mode)} root/root .* \./usr/{re.escape(name)}$")
        self.assertNotIn("__pycache__", listed)

        root = os.path.join(self.directory, "root")
        subprocess.run(["dpkg-deb", "-x", path, root], check=True)
        program = os.path.join(root, "usr", "bin", "memlens")
        environment = {**os.environ, "PATH": os.path.dirname(program) + ":" + os.environ["PATH"],
                       "PYTHONPATH": os.path.join(root, "usr", "lib", "python3", "dist-packages")}
        environment.pop("MEMLENS_PROGRAM", None)
        script = self.script("import memlens\nassert memlens.enabled()\nbytearray(3_000_000)\n")
        capture = os.path.join(self.directory, "it.mlens")
        subprocess.run([program, "run", "-q", "--python", "/usr/bin/python3", "-o", capture, script],
                       check=True, env=environment, timeout=60)
        said = subprocess.run(
            ["/usr/bin/python3", "-c", "import sys, memlens, importlib.metadata as m; "
             "print(memlens.read(sys.argv[1]).summary['peak_bytes'], "
             "[e.value for e in m.distribution('memlens').entry_points])", capture],
            stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
        self.assertGreater(int(said.split()[0]), 3_000_000)
        self.assertIn("memlens.pytest_plugin", said)


if __name__ == "__main__":
    main()
