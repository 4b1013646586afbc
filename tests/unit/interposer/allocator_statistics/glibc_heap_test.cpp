#include "interposer/allocator_statistics/glibc_heap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace memlens;
using interposer::glibc_heap::InfoText;

namespace {

// As glibc 2.36 prints them: two arenas, sizes of free pieces with their flags (1, in arenas of
// threads 5), and two of fast bins, whose sizes are told as a range of 16.
const std::string kInfo =
    "<malloc version=\"1\">\n"
    "<heap nr=\"0\">\n<sizes>\n"
    "  <size from=\"17\" to=\"32\" total=\"320\" count=\"10\"/>\n"
    "  <size from=\"33\" to=\"33\" total=\"66\" count=\"2\"/>\n"
    "  <size from=\"10001\" to=\"20017\" total=\"40004\" count=\"4\"/>\n"
    "  <unsorted from=\"50001\" to=\"50001\" total=\"50001\" count=\"1\"/>\n"
    "</sizes>\n"
    "<total type=\"fast\" count=\"10\" size=\"320\"/>\n"
    "<total type=\"rest\" count=\"8\" size=\"190071\"/>\n"
    "<system type=\"current\" size=\"1000000\"/>\n<system type=\"max\" size=\"2000000\"/>\n"
    "<aspace type=\"total\" size=\"1000000\"/>\n<aspace type=\"mprotect\" size=\"1000000\"/>\n"
    "</heap>\n"
    "<heap nr=\"1\">\n<sizes>\n"
    "  <size from=\"8197\" to=\"8197\" total=\"16394\" count=\"2\"/>\n"
    "</sizes>\n"
    "<total type=\"fast\" count=\"0\" size=\"0\"/>\n"
    "<total type=\"rest\" count=\"3\" size=\"116394\"/>\n"
    "<system type=\"current\" size=\"300000\"/>\n<system type=\"max\" size=\"300000\"/>\n"
    "</heap>\n"
    "<total type=\"fast\" count=\"10\" size=\"320\"/>\n"
    "<total type=\"rest\" count=\"11\" size=\"306465\"/>\n"
    "<total type=\"mmap\" count=\"3\" size=\"500000\"/>\n"
    "<system type=\"current\" size=\"1300000\"/>\n<system type=\"max\" size=\"2300000\"/>\n"
    "<aspace type=\"total\" size=\"1300000\"/>\n"
    "</malloc>\n";

void check_numbers(const InfoText& text) {
  format::AllocatorStatistics statistics;
  REQUIRE(text.result(statistics));
  CHECK(statistics.held == 1'800'000);
  CHECK(statistics.mapped == 500'000);
  CHECK(statistics.arenas == 2);
  CHECK(statistics.thread_arenas_held == 300'000);
  CHECK(statistics.thread_arenas_free == 116'384);
  CHECK(statistics.free == 190'064 + 320 + 116'384);
  // Of each piece one page less, of those that reach over one; and the end of the first heap.
  const uint64_t pieces = (40'000 - 4 * 4128) + (50'000 - 4128) + (16'384 - 2 * 4128);
  CHECK(statistics.releasable == pieces + 100'000 - 4096);
}

}  // namespace

TEST_CASE("what malloc_info prints is read, however it comes in pieces") {
  for (const size_t piece : {size_t{1}, size_t{7}, kInfo.size()}) {
    InfoText text;
    for (size_t at = 0; at < kInfo.size(); at += piece) {
      text.add(kInfo.data() + at, std::min(piece, kInfo.size() - at));
    }
    check_numbers(text);
  }
}

TEST_CASE("what malloc_info has not printed to its end says nothing") {
  for (size_t length = 0; length + 1 < kInfo.size(); ++length) {
    InfoText text;
    text.add(kInfo.data(), length);
    format::AllocatorStatistics statistics;
    CHECK_FALSE(text.result(statistics));
  }
  InfoText nonsense;
  const std::string words = std::string(10'000, 'x') + "\n<size from=\"\n</heap>\n</malloc>\n";
  nonsense.add(words.data(), words.size());
  format::AllocatorStatistics statistics;
  if (nonsense.result(statistics)) CHECK(statistics.held == 0);
}
