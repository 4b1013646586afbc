#include "interposer/allocator_statistics/python_heap.h"

#include <doctest/doctest.h>

#include <string>

using namespace memlens;
using interposer::python_heap::StatsText;

namespace {

// As CPython 3.11 prints it, but for the table of sizes and the arenas' map.
const std::string kStats =
    "Small block threshold = 512, in 32 size classes.\n\n"
    "class   size   num pools   blocks in use  avail blocks\n"
    "-----   ----   ---------   -------------  ------------\n"
    "    0     16           1             531           490\n\n"
    "# arenas allocated total           =                    9\n"
    "# arenas reclaimed                 =                    5\n"
    "# arenas highwater mark            =                    6\n"
    "# arenas allocated current         =                    4\n"
    "4 arenas * 1048576 bytes/arena     =            4,194,304\n\n"
    "# bytes in allocated blocks        =            3,492,544\n"
    "# bytes in available blocks        =              329,936\n"
    "17 unused pools * 16384 bytes      =              278,528\n"
    "# bytes lost to pool headers       =               11,280\n"
    "# bytes lost to quantization       =               16,480\n"
    "# bytes lost to arena alignment    =               65,536\n"
    "Total                              =            4,194,304\n";

}  // namespace

TEST_CASE("Python's text says how many arenas there are, and what of them is in no object") {
  StatsText text;
  for (const char& c : kStats) text.add(&c, 1);
  format::AllocatorStatistics statistics;
  REQUIRE(text.result(statistics));
  CHECK(statistics.arenas == 4);
  CHECK(statistics.held == 4'194'304);
  CHECK(statistics.free == 329'936 + 278'528);
}

TEST_CASE("A text that is cut, or of an interpreter without such arenas, says nothing") {
  format::AllocatorStatistics statistics;
  const size_t blocks = kStats.find("# bytes in available");
  StatsText cut;
  cut.add(kStats.data(), blocks);
  CHECK_FALSE(cut.result(statistics));
  StatsText empty;
  CHECK_FALSE(empty.result(statistics));
}
