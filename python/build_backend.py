"""How pip and uv build memlens from its source (PEP 517, PEP 660): `pip install .`, `pip install git+...`.

CMake does the work, and what it links statically is Debian's: third_party/install-debian.sh build.
CMake and ninja themselves come from PyPI where they are not installed; nothing else is fetched, so
that `pip wheel --no-build-isolation .` works offline.
"""
import os
import shutil
import subprocess
import tarfile

import make_wheel
from make_wheel import SOURCE, version

BUILD = os.path.join(SOURCE, "build")


def get_requires_for_build_wheel(config_settings=None):
    return [name + least for name, least in (("cmake", ">=3.25"), ("ninja", ""))
            if not shutil.which(name)]


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """So that nobody has to compile for a name and a version."""
    name = "memlens-%s.dist-info" % version()
    folder = os.path.join(metadata_directory, name)
    os.makedirs(folder)
    for path, text in (("METADATA", make_wheel.metadata()), ("WHEEL", make_wheel.wheel_tags()),
                       ("entry_points.txt", make_wheel.ENTRY_POINTS.decode())):
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write(text)
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _compile()
    return make_wheel.make_wheel(BUILD, wheel_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """The program as it is now, and the package where it stands."""
    _compile()
    return make_wheel.make_wheel(BUILD, wheel_directory, package_in_place=True)


def build_sdist(sdist_directory, config_settings=None):
    name = "memlens-%s" % version()
    path = os.path.join(sdist_directory, name + ".tar.gz")
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for file in _sources():
            archive.add(os.path.join(SOURCE, file), os.path.join(name, file), recursive=False)
        information = os.path.join(sdist_directory, "PKG-INFO")
        with open(information, "w", encoding="utf-8") as file:
            file.write(make_wheel.metadata())
        archive.add(information, os.path.join(name, "PKG-INFO"))
        os.unlink(information)
    return os.path.basename(path)


def _sources():
    """What git knows; in an unpacked sdist, all that no build made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=SOURCE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False).stdout.decode().split("\0")[:-1]
    if listed:
        return listed
    found = []
    for folder, subfolders, names in os.walk(SOURCE):
        here = os.path.relpath(folder, SOURCE)
        subfolders[:] = sorted(each for each in subfolders if each not in (".git", "__pycache__")
                               and not (here == "." and each.startswith(("build", "dist"))))
        found += sorted(os.path.normpath(os.path.join(here, each)) for each in names)
    return found


def _compile():
    try:
        subprocess.run(["cmake", "--preset", "release", "-Wno-dev", "-DMEMLENS_TESTS=OFF"]
                       if not os.path.exists(os.path.join(BUILD, "CMakeCache.txt")) else
                       ["cmake", BUILD, "-Wno-dev"], cwd=SOURCE, check=True)
        subprocess.run(["cmake", "--build", BUILD, "--target", "portable", "memlens_shell"],
                       check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit("memlens: it could not be built: %s\nfrom source it is built on Debian 12 "
                         "with the packages of `third_party/install-debian.sh build`" % error)
