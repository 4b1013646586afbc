#!/usr/bin/env bash
# Installs the system packages memlens needs on Debian 12, and nothing else.
#
#   install-debian.sh build    what `make build` and `make demo` need
#   install-debian.sh test     the same and what `make test` needs (the default)
#   install-debian.sh ci       the same and the formatter and linter of .ci/run
#
# Does nothing and says nothing when all is there. Asks for root (or sudo) only when it is not.
set -euo pipefail

build_packages=(
  build-essential cmake ninja-build pkg-config
  libzstd-dev libxxhash-dev libunwind-dev libdw-dev libelf-dev libdeflate-dev libjemalloc-dev
  libcli11-dev nlohmann-json3-dev libprotozero-dev zlib1g-dev doctest-dev
  liblzma-dev libbz2-dev                                  # static, for the wheel
  python3
)
test_packages=(
  git valgrind libc6-dbg binutils llvm xxd gdb
  chromium chromium-driver python3-selenium               # the HTML report, in a real browser
  libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0        # allocators that must be tracked
  redis-server redis-tools sqlite3                        # programs people debug
  python3-dev python3-numpy python3-greenlet python3-ipython python3-ipykernel python3-nbclient
  zsh fish mandoc                                         # completions and manual pages
  python3-pytest python3-pytest-xdist python3-pytest-asyncio  # the plugin for them
)
ci_packages=(clang-format clang-tidy)

case "${1:-test}" in
  build) wanted=("${build_packages[@]}") ;;
  test) wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
  ci) wanted=("${build_packages[@]}" "${test_packages[@]}" "${ci_packages[@]}") ;;
  *) echo "usage: $0 [build|test|ci]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "$0: not a Debian system; memlens needs the equivalents of: ${wanted[*]}" >&2
  exit 0
fi

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]
}
missing=()
for package in "${wanted[@]}"; do
  is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "$0: please install, as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y
         -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}")
# The package lists of a fresh machine are empty, those of an old one name versions that are gone.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get -qq update && "${install[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "$0: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
