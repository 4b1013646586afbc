"""The wheel, made of what was linked to run elsewhere, and unpacked as an installer does it."""
import base64
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from memlens_testing import BUILD, SOURCE, MemlensTest, main

PYTHON = "/usr/bin/python3"
PORTABLE = os.path.join(BUILD, "portable")


class Wheel(MemlensTest):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(PORTABLE, "bin", "memlens")):
            raise unittest.SkipTest("not built: cmake --build build --target portable")
        cls.made_in = tempfile.TemporaryDirectory(prefix="memlens-wheel-")
        cls.addClassCleanup(cls.made_in.cleanup)
        said = subprocess.run([sys.executable, os.path.join(SOURCE, "python", "make_wheel.py"), BUILD,
                               cls.made_in.name], stdout=subprocess.PIPE, text=True, check=True).stdout
        cls.wheel = said.rsplit(",", 1)[0]

    def install(self, name="env"):
        """An environment with the wheel in it, not activated."""
        environment = os.path.join(self.directory, name)
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--system-site-packages",
                        environment], check=True)
        site = os.path.join(environment, "lib", "python%d.%d" % self.python_version(),
                            "site-packages")
        moved = {"scripts": os.path.join(environment, "bin"), "data": environment}
        with zipfile.ZipFile(self.wheel) as wheel:
            for entry in wheel.infolist():
                data = re.match(r"memlens-[0-9.]+\.data/(\w+)/(.*)", entry.filename)
                path = (os.path.join(moved[data.group(1)], data.group(2)) if data
                        else os.path.join(site, entry.filename))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(wheel.read(entry))
                os.chmod(path, entry.external_attr >> 16)
        # Installers write where the files went.
        record = [os.path.join(site, name, "RECORD") for name in os.listdir(site)
                  if name.endswith(".dist-info")][0]
        with open(record, "a", encoding="utf-8") as file:
            file.write("../../../bin/memlens,,\n")
        return environment

    def python_version(self):
        return tuple(json.loads(subprocess.run(
            [PYTHON, "-c", "import sys; print(list(sys.version_info[:2]))"],
            stdout=subprocess.PIPE, check=True).stdout))

    def test_its_types_are_in_it(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
        for name in ("py.typed", "__init__.pyi", "_capture.pyi"):
            self.assertIn("memlens/" + name, names)

    def test_what_pip_is_told_before_anything_is_built_is_what_the_wheel_has(self):
        asked = ("import sys, build_backend as b\n"
                 "print(b.prepare_metadata_for_build_wheel(sys.argv[1]))\n"
                 "print(b.build_sdist(sys.argv[1]))\n")
        folder = os.path.join(self.directory, "asked")
        os.mkdir(folder)
        info, archive = subprocess.run(
            [PYTHON, "-c", asked, folder], env={**os.environ,
                                                "PYTHONPATH": os.path.join(SOURCE, "python")},
            stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        with zipfile.ZipFile(self.wheel) as wheel:
            for name in os.listdir(os.path.join(folder, info)):
                with open(os.path.join(folder, info, name), "rb") as file:
                    self.assertEqual(file.read(), wheel.read(info + "/" + name))
        with tarfile.open(os.path.join(folder, archive)) as sources:
            names = {name.split("/", 1)[1] for name in sources.getnames()}
        self.assertLessEqual({"PKG-INFO", "pyproject.toml", "CMakeLists.txt", "CMakePresets.json",
                              "python/build_backend.py", "python/portable/floor-x86_64.txt"}, names)
        self.assertFalse([name for name in names if name.startswith("build/")])

    def test_it_asks_for_no_newer_libc_than_its_name_says(self):
        newest = tuple(map(int, re.search(r"manylinux_(\d+)_(\d+)", self.wheel).groups()))
        needed = subprocess.run(["readelf", "-d", os.path.join(PORTABLE, "bin", "memlens")],
                                stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertNotIn("(NEEDED)", needed)
        symbols = subprocess.run(["objdump", "-T", os.path.join(PORTABLE, "lib", "libmemlens.so")],
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
        versions = {tuple(map(int, found.split("."))) for found in
                    re.findall(r"GLIBC_(\d+\.\d+)", symbols)}
        self.assertTrue(versions)
        self.assertLessEqual(max(versions), newest)

    def test_its_record_is_right_it_is_small_and_names_what_is_linked_in(self):
        self.assertLess(os.path.getsize(self.wheel), 10_000_000)
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
            record = [name for name in names if name.endswith("/RECORD")][0]
            rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
            self.assertEqual(sorted(row[0] for row in rows), sorted(names))
            for path, digest, size in rows:
                if path == record:
                    continue
                content = wheel.read(path)
                self.assertEqual(len(content), int(size))
                self.assertEqual(digest, "sha256=" + base64.urlsafe_b64encode(
                    hashlib.sha256(content).digest()).rstrip(b"=").decode())
            bom = json.loads(wheel.read([n for n in names if n.endswith(".cdx.json")][0]))
            self.assertIn("libzstd-dev", [part["name"] for part in bom["components"]])
            licences = wheel.read([n for n in names if n.endswith("linked-in.txt")][0]).decode()
            self.assertIn("libdeflate-dev", licences)
            self.assertGreater(len(licences), 20_000)

    def test_its_bill_of_materials_names_every_archive_on_the_linker_s_command_line(self):
        self.need("dpkg-query")
        with open(os.path.join(BUILD, "build.ninja"), encoding="utf-8") as file:
            command = re.search(r"COMMAND = (.*-static-pie.*)", file.read()).group(1)
        archives = set(re.findall(r"/usr/lib/[\w/.+-]+\.a\b", command))
        self.assertGreater(len(archives), 6)
        # And what the compiler's driver adds.
        for name in ("libc.a", "libgcc.a", "libstdc++.a"):
            archives.add(subprocess.run(["g++", "-print-file-name=" + name], stdout=subprocess.PIPE,
                                        text=True, check=True).stdout.strip())
        owners = set()
        for archive in archives:
            path = os.path.realpath(archive)
            said = subprocess.run(["dpkg-query", "-S", path], stdout=subprocess.PIPE, text=True)
            if said.returncode:  # /usr/lib is /lib's since the folders were merged
                said = subprocess.run(["dpkg-query", "-S", re.sub("^/usr", "", path)],
                                      stdout=subprocess.PIPE, text=True, check=True)
            owners.add(said.stdout.split(":")[0])
        with zipfile.ZipFile(self.wheel) as wheel:
            bom = json.loads(wheel.read([n for n in wheel.namelist()
                                         if n.endswith(".cdx.json")][0]))
        parts = {part["name"]: part for part in bom["components"]}
        self.assertLessEqual(owners, set(parts))
        for name, part in parts.items():
            installed = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], text=True,
                                       stdout=subprocess.PIPE, check=True).stdout
            self.assertEqual(part["version"], installed, name)
            self.assertRegex(part["purl"], r"^pkg:deb/debian/[^/@:]+@[^/@:]+$")
            with zipfile.ZipFile(self.wheel) as wheel:
                texts = wheel.read([n for n in wheel.namelist()
                                    if n.endswith("linked-in.txt")][0]).decode()
            self.assertRegex(texts, r"(?m)^%s %s\n.*\n\n(?!\n)" % tuple(
                map(re.escape, (name, installed))))

    def test_installed_it_records_with_the_environment_s_python_and_is_found_by_the_package(self):
        environment = self.install()
        memlens = os.path.join(environment, "bin", "memlens")
        python = os.path.join(environment, "bin", "python3")
        script = self.script("import sys\nkept = bytearray(3_000_000)\nprint(sys.prefix)\n")
        plain = {name: value for name, value in os.environ.items()
                 if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MEMLENS_PROGRAM")}
        for command in ([memlens], [python, "-m", "memlens"]):
            capture = os.path.join(self.directory, "%d.mlens" % len(command))
            said = subprocess.run([*command, "run", "-q", "-o", capture, script], env=plain,
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertEqual(said.strip(), environment)
        read = subprocess.run(
            [python, "-c", "import memlens, sys; c = memlens.read(sys.argv[1]);"
             "print(memlens._capture.find_program(), c.leaks(limit=1)[0].bytes >= 3_000_000)",
             capture], env=plain, stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(read.split(), [memlens, "True"])

    def test_what_the_package_does_of_the_command_line_it_does_where_the_environment_is_not_activated(self):
        environment = self.install()
        plain = {name: value for name, value in os.environ.items()
                 if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MEMLENS_PROGRAM")}
        said = subprocess.run([os.path.join(environment, "bin", "memlens"), "push", "--help"], env=plain,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        self.assertIn("usage: memlens push", said)

    def test_an_environment_made_for_memlens_alone_is_not_the_script_s(self):
        environment = self.install(os.path.join("archive-v0", "Xy"))  # as uvx makes it
        folder = os.path.join(environment, "bin")
        script = self.script("import sys\nprint(sys.prefix)\n")
        for variables in ({}, {"VIRTUAL_ENV": environment}):
            plain = {**os.environ, **variables, "PATH": folder + ":/usr/bin:/bin"}
            for name in ("PYTHONPATH", "MEMLENS_PROGRAM"):
                plain.pop(name, None)
            said = subprocess.run([os.path.join(folder, "memlens"), "run", "-q", "-f", "-o",
                                   os.path.join(self.directory, "x.mlens"), script], env=plain,
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            self.assertEqual(said.strip(), "/usr")
        capture = os.path.join(self.directory, "y.mlens")
        said = subprocess.run([os.path.join(folder, "memlens"), "run", "-o", capture, script],
                              env={**plain, "UV": "/usr/bin/uv"}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=True).stderr
        self.assertIn("next: uvx memlens summary " + capture, said)

    def test_pytest_finds_the_plugin_by_itself(self):
        environment = self.install()
        python = os.path.join(environment, "bin", "python3")
        if subprocess.run([python, "-c", "import pytest"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("Debian's python3-pytest is not installed")
        self.script("import pytest\n@pytest.mark.limit_memory('1 MB')\n"
                    "def test_it(): bytearray(2_000_000)\n", "test_it.py")
        plain = {name: value for name, value in os.environ.items()
                 if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MEMLENS_PROGRAM")}
        result = subprocess.run([python, "-m", "pytest", self.directory], env=plain, text=True,
                                cwd=self.directory, stdout=subprocess.PIPE)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("limit_memory: the test peaked at 2.00 MB", result.stdout)

    def test_the_static_program_s_demangler_has_a_section_by_which_its_time_limit_knows_it(self):
        sections = subprocess.run(["readelf", "-SW", os.path.join(PORTABLE, "bin", "memlens")],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertIn("memlens_demangler", sections)


if __name__ == "__main__":
    main()
