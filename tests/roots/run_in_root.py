#!/usr/bin/env python3
"""Runs the end-to-end tests in another system's root: an older or newer libc, loader, compiler, Python.

    run_in_root.py ROOT [TEST ...]       for example: run_in_root.py /var/lib/sid handlers run_kill

ROOT is a debootstrap with gcc and a python3 of 3.8 or newer; g++, musl-tools and rustc are used where
they are. What is tested there is the portable build (`cmake --build build --target portable`), with
this folder's tests; the programs they record are compiled by ROOT's own compiler. Run on demand, by
root: it needs a mount namespace with a /proc and a /dev of its own and chroot. Without TEST, all those
of HARM below. Prints a line a test file; ends with 1 if any failed. docs/reliability.md keeps the results.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("MEMLENS_BUILD", os.path.join(SOURCE, "build")))

# What could harm a program, or answer wrong, and depends on libc, loader or kernel interfaces.
HARM = """
    first_allocation handlers odd_programs run_address_space run_untouched run_full_disk run_endings
    run_kill run_signals run_tree run_surroundings damaged_capture programs_ledger programs_loading
    programs_processes bundled_allocators stalled_collector running_capture sampling allocator_statistics
""".split()

# A /dev of its own, so that nothing of this machine's is reached through it. ROOT is bound to itself
# first: what it holds is a mount point then, below which programs can unshare mounts of their own.
ENTER = r"""
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount -t tmpfs none "$0/dev"
for d in null zero full random urandom tty; do touch "$0/dev/$d"; mount --bind "/dev/$d" "$0/dev/$d"; done
mkdir "$0/dev/shm" "$0/dev/pts"; mount -t tmpfs none "$0/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 none "$0/dev/pts"; ln -s pts/ptmx "$0/dev/ptmx"
ln -s /proc/self/fd "$0/dev/fd"
exec unshare --root="$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh -c "$1"
"""


# What programs here call of glibc 2.34, for an older one.
SINCE = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
int _Fork(void) { return syscall(SYS_fork); }
int execveat(int fd, const char* path, char* const* arguments, char* const* environment, int flags) {
  return syscall(SYS_execveat, fd, path, arguments, environment, flags);
}
int close_range(unsigned first, unsigned last, int flags) { return syscall(436, first, last, flags); }
"""


def in_root(root, command, time_limit=900):
    return subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-ec", ENTER, root, command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=time_limit, check=False)


def find_python(root):
    if not os.path.lexists(os.path.join(root, "usr/bin/python3")):
        sys.exit(f"{root} has no /usr/bin/python3, which tests run")
    found = [p for p in glob.glob(os.path.join(root, "usr/bin/python3.*")) if re.search(r"/python3\.\d+$", p)]
    if not found:
        sys.exit(f"{root} has no python3")
    return "/" + os.path.relpath(min(found, key=lambda p: int(p.rsplit(".", 1)[1])), root)


def compile_programs(root, inside):
    """As tests/programs/CMakeLists.txt does it, as far as the tests of HARM need it."""
    flags = f"-g -O0 -fno-builtin -w -pthread -I{inside}/source/include"
    script = f"""
cd {inside}/source/tests/programs; out={inside}/build/tests/programs; mkdir -p $out/libraries/plugins
library() {{ gcc {flags} -shared -fPIC "$2" -o $out/libraries/libmemlens_test_"$1".so $3 $4; }}
library plugins/plugin libraries/plugin.c 2>/dev/null || gcc {flags} -shared -fPIC libraries/plugin.c \
  -o $out/libraries/plugins/libmemlens_test_plugin.so
library runpath_caller libraries/runpath_caller.c '-Wl,--enable-new-dtags,-rpath,$ORIGIN/plugins' -ldl
library late_functions libraries/late_functions.c -ldl -lutil
library lazy_allocator libraries/bundled_allocator.c -Wl,-z,lazy
library relro_allocator libraries/bundled_allocator.c -Wl,-z,relro,-z,now
library symbolic_allocator libraries/bundled_allocator.c -Wl,-Bsymbolic
library hidden_allocator libraries/bundled_allocator.c -DHIDDEN_ALLOCATOR
library plain_allocator libraries/plain_allocator.c
library first_allocation libraries/first_allocation.c
for f in *.c; do n=${{f%.c}}; more=
  [ $n = first_allocation ] && more="-L$out/libraries -lmemlens_test_first_allocation -Wl,-rpath,$out/libraries"
  gcc {flags} $f -o $out/$n $more -Wl,--as-needed -ldl 2>/dev/null ||
    gcc {flags} $f {inside}/since.c -o $out/$n -Wl,--as-needed -ldl -lutil ||
    echo "not compiled: $f"
done
gcc {flags} -static -no-pie allocate.c -o $out/allocate_static 2>/dev/null
command -v g++ >/dev/null && g++ {flags} -shared -fPIC libraries/arrow_pool.cpp \
  -o $out/libraries/libmemlens_test_arrow_pool.so && for f in *.cpp; do g++ -std=c++20 -I{inside}/source {flags} $f -o $out/${{f%.cpp}} -ldl; done; true
"""
    return in_root(root, script).stdout.strip()


def main():
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    root, tests = os.path.abspath(sys.argv[1]), sys.argv[2:] or HARM
    python = find_python(root)
    folder = tempfile.mkdtemp(prefix="memlens-root-", dir=os.path.join(root, "tmp"))
    os.chmod(folder, 0o755)
    inside = "/" + os.path.relpath(folder, root)
    failed = False
    try:
        for part in ("tests", "interposer", "include"):
            shutil.copytree(os.path.join(SOURCE, part), os.path.join(folder, "source", part))
        with open(os.path.join(folder, "since.c"), "w", encoding="utf-8") as file:
            file.write(SINCE)
        for part in ("bin/memlens", "lib/libmemlens.so"):
            os.makedirs(os.path.join(folder, "build", os.path.dirname(part)))
            shutil.copy(os.path.join(BUILD, "portable", part), os.path.join(folder, "build", part))
        os.makedirs(os.path.join(folder, "path"))
        os.symlink(python, os.path.join(folder, "path/python3"))
        print(f"{root}: {in_root(root, python + ' --version; ldd --version | head -1').stdout.strip()}", flush=True)
        print(compile_programs(root, inside))
        for test in tests:
            command = (f"cd {inside} && PATH={inside}/path:$PATH PYTHONPATH={inside}/source/tests/support "
                       f"MEMLENS_BUILD={inside}/build PYTHONDONTWRITEBYTECODE=1 MEMLENS_NO_CACHE=1 MEMLENS_SKIP_UNBUILT=1 "
                       f"python3 source/tests/cli/{test}_test.py")
            try:
                result = in_root(root, command)
                text, code = result.stdout, result.returncode
            except subprocess.TimeoutExpired as error:
                text, code = (error.stdout or b"").decode(errors="replace"), "no end"
            skipped = sum(map(int, re.findall(r"skipped=(\d+)", text)))
            count = next(iter(re.findall(r"^Ran (\d+) tests?", text, re.MULTILINE)), "?")
            good = code in (0, 77)
            failed = failed or not good
            print(f"{'ok' if good else 'FAILED':7}{test}: {count} tests, {skipped} skipped", flush=True)
            if not good:
                print("\n".join("       " + line for line in text.splitlines()
                                if re.match(r"(FAIL|ERROR|\w*Error|AssertionError)", line))[-3000:], flush=True)
                with open(f"{test}.{os.path.basename(root)}.log", "w", encoding="utf-8") as log:
                    log.write(text)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
