"""The wheel: one file for every Python from 3.8 on, made of what `cmake --target portable` linked.

No CPython ABI is involved, so there is nothing to compile for a Python. build_backend.py is what pip asks
for it; `make wheel` calls it as a program:

    python3 python/make_wheel.py BUILD FOLDER
    python3 python/make_wheel.py --metadata FOLDER      what is not built, for other packages

The program goes to the environment's bin/ and the library to its lib/, where the program looks for it.
The program is not a console script in Python: that would have Python's signal dispositions, which what
is recorded would inherit, and 18 ms of start-up.
"""
import base64
import hashlib
import os
import re
import subprocess
import sys
import urllib.parse
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)
#: The newest symbol version in python/portable/floor-x86_64.txt is GLIBC_2.17.
TAG = "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64"
#: One time for all files: the same sources give the same wheel.
TIME = (2020, 1, 1, 0, 0, 0)

ENTRY_POINTS = b"[pytest11]\nmemlens = memlens.pytest_plugin\n"

#: Where shells look for completions, below a prefix.
SHELL = {"memlens": "share/bash-completion/completions/memlens",
         "_memlens": "share/zsh/site-functions/_memlens",
         "memlens.fish": "share/fish/vendor_completions.d/memlens.fish"}

#: What is linked in statically, for the SBOM and the licences: Debian's source of each.
COMPONENTS = (
    ("libzstd-dev", "BSD-3-Clause"), ("libdw-dev", "LGPL-3.0-or-later OR GPL-2.0-or-later"),
    ("libelf-dev", "LGPL-3.0-or-later OR GPL-2.0-or-later"), ("liblzma-dev", "0BSD"),
    ("libbz2-dev", "bzip2-1.0.6"), ("libdeflate-dev", "MIT"), ("zlib1g-dev", "Zlib"),
    ("libjemalloc-dev", "BSD-2-Clause"), ("libxxhash-dev", "BSD-2-Clause"),
    ("nlohmann-json3-dev", "MIT"), ("libcli11-dev", "BSD-3-Clause"),
    ("libprotozero-dev", "BSD-2-Clause"), ("libc6-dev", "LGPL-2.1-or-later"),
    ("libstdc++-{gcc}-dev", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ("libgcc-{gcc}-dev", "GPL-3.0-or-later WITH GCC-exception-3.1"))


def version():
    with open(os.path.join(SOURCE, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(memlens VERSION ([0-9.]+)", file.read()).group(1)


def metadata():
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
        description = file.read()
    return """Metadata-Version: 2.1
Name: memlens
Version: %s
Summary: Records every allocation of a program, with the Python and native stack that made it
License: Apache-2.0
Requires-Python: >=3.8
Classifier: Framework :: Pytest
Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: Software Development :: Debuggers
Provides-Extra: arrow
Requires-Dist: pyarrow; extra == "arrow"
Description-Content-Type: text/markdown

%s""" % (version(), description)


def components():
    """(package, version, licence, text of its copyright file) of what is linked in."""
    gcc = subprocess.run(["gcc", "-dumpversion"], stdout=subprocess.PIPE, text=True,
                         check=True).stdout.strip()
    for package, licence in COMPONENTS:
        package = package.format(gcc=gcc)
        found = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        path = "/usr/share/doc/%s/copyright" % package
        text = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
        yield package, found.stdout.strip() or "unknown", licence, text


def sbom():
    import json
    parts = [{"type": "library", "name": package, "version": number,
              "purl": "pkg:deb/debian/%s@%s" % (urllib.parse.quote(package, safe=""),
                                                urllib.parse.quote(number, safe="~")),
              "licenses": [{"expression": licence}]}
             for package, number, licence, _ in components()]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
                       "metadata": {"component": {"type": "application", "name": "memlens",
                                                  "version": version()}},
                       "components": parts}, indent=1) + "\n"


def package_files():
    package = os.path.join(HERE, "memlens")
    for folder, subfolders, names in os.walk(package):
        subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith((".py", ".pyi", ".typed")):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, HERE), read(path), False


def files(build, package_in_place):
    """(path in the wheel, bytes, whether it is executable)"""
    info, data = "memlens-%s.dist-info/" % version(), "memlens-%s.data/" % version()
    if package_in_place:
        yield "memlens.pth", HERE.encode() + b"\n", False
    else:
        yield from package_files()
    yield data + "scripts/memlens", read(os.path.join(build, "portable", "bin", "memlens")), True
    yield (data + "data/lib/libmemlens.so",
           read(os.path.join(build, "portable", "lib", "libmemlens.so")), True)
    yield data + "data/include/memlens.h", read(os.path.join(SOURCE, "include", "memlens.h")), False
    for name in ("memlens", "_memlens", "memlens.fish"):
        yield data + "data/" + SHELL[name], read(os.path.join(build, "shell", name)), False
    pages = os.path.join(build, "shell", "man1")
    for name in sorted(os.listdir(pages)):
        yield data + "data/share/man/man1/" + name, read(os.path.join(pages, name)), False
    yield info + "METADATA", metadata().encode(), False
    yield info + "WHEEL", wheel_tags().encode(), False
    yield info + "entry_points.txt", ENTRY_POINTS, False
    yield info + "licenses/LICENSE", read(os.path.join(SOURCE, "LICENSE")), False
    yield info + "licenses/linked-in.txt", linked_in().encode(), False
    yield info + "sboms/memlens.cdx.json", sbom().encode(), False


def linked_in():
    """The licences of what is linked in."""
    return "".join("%s %s\n%s\n\n%s\n\n" % (package, number, licence, text)
                   for package, number, licence, text in components())


def write_metadata(folder):
    """The package's dist-info without a wheel around it, and its copyright as Debian keeps it."""
    info = os.path.join(folder, "memlens-%s.dist-info" % version())
    os.makedirs(info, exist_ok=True)
    license_text = read(os.path.join(SOURCE, "LICENSE"))
    for path, content in ((os.path.join(info, "METADATA"), metadata().encode()),
                          (os.path.join(info, "entry_points.txt"), ENTRY_POINTS),
                          (os.path.join(folder, "copyright"),
                           license_text + b"\n\nLinked into the program and its library:\n\n"
                           + linked_in().encode())):
        with open(path, "wb") as file:
            file.write(content)


def wheel_tags():
    python, abi, platforms = TAG.split("-")
    lines = ["Wheel-Version: 1.0", "Generator: memlens make_wheel", "Root-Is-Purelib: false"]
    lines += ["Tag: %s-%s-%s" % (python, abi, platform) for platform in platforms.split(".")]
    return "\n".join(lines) + "\n"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def make_wheel(build, folder, package_in_place=False):
    """Writes the wheel; its file name."""
    name = "memlens-%s-%s.whl" % (version(), TAG)
    os.makedirs(folder, exist_ok=True)
    record = []
    with zipfile.ZipFile(os.path.join(folder, name), "w", zipfile.ZIP_DEFLATED,
                         compresslevel=9) as wheel:
        def add(path, content, executable=False):
            entry = zipfile.ZipInfo(path, TIME)
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)

        for path, content, executable in files(build, package_in_place):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append("%s,sha256=%s,%d" % (path, digest.decode(), len(content)))
            add(path, content, executable)
        path = "memlens-%s.dist-info/RECORD" % version()
        add(path, "\n".join(record + [path + ",,", ""]))
    return name


def main():
    if sys.argv[1] == "--metadata":
        return write_metadata(sys.argv[2])
    build, folder = sys.argv[1:]
    name = make_wheel(build, folder)
    print("%s, %.2f MB" % (os.path.join(folder, name),
                           os.path.getsize(os.path.join(folder, name)) / 1e6))


if __name__ == "__main__":
    main()
