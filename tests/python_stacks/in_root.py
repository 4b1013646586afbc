"""Runs a test of this folder with the interpreters of another Linux system, unpacked in a folder.

    in_root.py ROOT TEST.py [ARGUMENTS]

The source and the build are mounted at their own paths below ROOT, in a mount namespace that ends
with the test, and the test runs there by chroot. It needs no installation there but some Python and
the libraries that memlens is linked with. Ends with 77, which ctest shows as skipped, where there is
no such system or no right to do this.
"""
import os
import sys

from memlens_testing import BUILD, SKIPPED, SOURCE

MOUNT = """
set -e
for folder in "$SOURCE" "$BUILD"; do
  mkdir -p "$ROOT$folder"
  mount --bind "$folder" "$ROOT$folder"
done
mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
if ! chroot "$ROOT" "$BUILD/bin/memlens" --version >/dev/null; then
  echo "skipped: memlens does not run in $ROOT"
  exit $SKIPPED
fi
exec chroot "$ROOT" "$PYTHON" "$@"
"""


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def some_python(root):
    folder = os.path.join(root, "usr", "bin")
    names = sorted(os.listdir(folder), reverse=True) if os.path.isdir(folder) else []
    return next((name for name in names if name.startswith("python3.") and name[-1].isdigit()), None)


def main():
    root, test, *arguments = sys.argv[1:]
    python = some_python(root)
    if python is None:
        skip(f"no system with a Python is unpacked at {root}")
    if os.geteuid() != 0:
        skip("only root may mount and chroot")
    environment = {name: value for name, value in os.environ.items()
                   if name in ("PATH", "HOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LANG") or
                   name.startswith("MEMLENS_")}
    environment.update(SOURCE=SOURCE, BUILD=BUILD, ROOT=root, SKIPPED=str(SKIPPED),
                       PYTHON="/usr/bin/" + python)
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh",
                           test, *arguments], environment)


if __name__ == "__main__":
    main()
