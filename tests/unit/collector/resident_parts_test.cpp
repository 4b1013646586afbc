#include "interposer/collector/resident_parts.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

using namespace memlens;

namespace {

// A mapping as the kernel prints one, in kilobytes.
std::string mapping(const std::string& line, int rss, int pss, int own, int swap = 0) {
  return line + "\nSize:  4 kB\nRss:  " + std::to_string(rss) +
         " kB\nPss:  " + std::to_string(pss) +
         " kB\nPss_Dirty:  7 kB\nShared_Clean:  " + std::to_string(rss - own) +
         " kB\nPrivate_Clean:  1 kB\nPrivate_Dirty:  " + std::to_string(own - 1) +
         " kB\nSwap:  " + std::to_string(swap) +
         " kB\nSwapPss:  9 kB\nVmFlags: rd wr mr mw me ac\n";
}

}  // namespace

TEST_CASE("each mapping is in one part, and the parts are the whole") {
  const std::string text =
      mapping("55d0c8a00000-55d0c8a21000 r-xp 00000000 fe:00 1835  /usr/bin/a program", 100, 50,
              10) +
      mapping("55d0ca000000-55d0ca021000 rw-p 00000000 00:00 0     [heap]", 200, 200, 200, 30) +
      mapping("7f1b60000000-7f1b60021000 rw-p 00000000 00:00 0 ", 40, 40, 40) +
      mapping("7f1b70000000-7f1b70021000 rw-s 00000000 00:01 2051  /memfd:memlens (deleted)", 8, 4,
              2) +
      mapping("7f1b80000000-7f1b80021000 rw-s 00000000 00:01 1024  /dev/zero (deleted)", 60, 20,
              5) +
      mapping("7f1b90000000-7f1b90021000 rw-s 00000000 00:18 3     /dev/shm/ring", 16, 8, 4) +
      mapping("7ffd10000000-7ffd10021000 rw-p 00000000 00:00 0     [stack]", 12, 12, 12);
  const format::ResidentParts parts = collector::parse_resident_parts(text);
  CHECK(parts.files == 100 * 1024);
  CHECK(parts.anonymous == 240 * 1024);
  CHECK(parts.recorder == 8 * 1024);
  CHECK(parts.shared == 76 * 1024);
  CHECK(parts.stack == 12 * 1024);
  CHECK(parts.resident == (100 + 240 + 8 + 76 + 12) * 1024);
  CHECK(parts.proportional == (50 + 200 + 40 + 4 + 20 + 8 + 12) * 1024);
  CHECK(parts.own == (10 + 200 + 40 + 2 + 5 + 4 + 12) * 1024);
  CHECK(parts.swapped == 30 * 1024);
  CHECK(parts.thread_heaps == 0);
}

TEST_CASE("heaps of threads are known by their place and by what they keep") {
  const std::string rest = "7f1b60100000-7f1b64000000 ---p 00000000 00:00 0 ";
  const std::string grown =
      mapping("7f1b60000000-7f1b60100000 rw-p 00000000 00:00 0 ", 900, 900, 900);
  const std::string full =
      mapping("7f1b68000000-7f1b6c000000 rw-p 00000000 00:00 0 ", 5000, 5000, 5000);
  const std::string elsewhere =
      mapping("7f1b70001000-7f1b70100000 rw-p 00000000 00:00 0 ", 300, 300, 300);
  format::ResidentParts parts =
      collector::parse_resident_parts(grown + mapping(rest, 0, 0, 1) + elsewhere + full);
  CHECK(parts.thread_heaps == 2);
  CHECK(parts.thread_heap_bytes == 5900 * 1024);
  // The last one of all; and one that only begins like one.
  CHECK(collector::parse_resident_parts(full).thread_heaps == 1);
  CHECK(collector::parse_resident_parts(grown + elsewhere).thread_heaps == 0);
}

TEST_CASE("text that is cut or makes no sense is no reason to fail") {
  const std::string whole =
      mapping("7f1b60000000-7f1b60100000 rw-p 00000000 00:00 0 ", 900, 900, 900);
  for (size_t length = 0; length < whole.size(); ++length) {
    CHECK(collector::parse_resident_parts(whole.substr(0, length)).resident <= 900 * 1024);
  }
  CHECK(collector::parse_resident_parts("\n\n:\nRss:\nRss: x kB\n-\n7f-\n7f-zz rw-p").resident ==
        0);
}

TEST_CASE("a process's own mappings are counted where they belong") {
  constexpr size_t kBytes = 8 << 20;
  const auto before = collector::read_resident_parts(getpid());
  REQUIRE(before);
  void* shared = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void* anonymous =
      mmap(nullptr, 2 * kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(shared, 1, kBytes);
  std::memset(anonymous, 1, 2 * kBytes);
  const auto after = collector::read_resident_parts(getpid());
  REQUIRE(after);
  CHECK(after->shared - before->shared == kBytes);
  CHECK(after->anonymous - before->anonymous >= 2 * kBytes);
  CHECK(after->anonymous + after->files + after->shared + after->stack + after->recorder ==
        after->resident);
  // What the kernel counts by itself says the same, but for what is still in its caches.
  const auto counted = collector::count_resident_parts(getpid());
  REQUIRE(counted);
  CHECK(counted->resident > after->resident - (4 << 20));
  CHECK(counted->anonymous > 2 * kBytes);
  CHECK(counted->shared >= kBytes);
  CHECK(counted->proportional == 0);
  munmap(shared, kBytes);
  munmap(anonymous, 2 * kBytes);
}
