#include "interposer/stacks/module_places.h"

#include <doctest/doctest.h>

#include <array>

using namespace memlens::interposer;

namespace {

// A library of one loaded segment and one note.
struct Library {
  std::array<ElfW(Phdr), 2> segments{};
  std::array<char, 16> note{};

  Library(uint64_t start, uint64_t bytes, char build) {
    note.fill(build);
    segments[0] = {};
    segments[0].p_type = PT_LOAD;
    segments[0].p_vaddr = start;
    segments[0].p_memsz = bytes;
    segments[1] = {};
    segments[1].p_type = PT_NOTE;
    segments[1].p_vaddr = reinterpret_cast<uint64_t>(note.data());
    segments[1].p_memsz = note.size();
  }
  uint64_t tag(const char* name) const { return place_tag(name, 0, segments.data(), 2); }
};

}  // namespace

TEST_CASE("a library that takes another's place gets addresses of its own, and keeps them") {
  const Library first(0x100000, 0x4000, 'a'), second(0x102000, 0x8000, 'b');
  const Library elsewhere(0x200000, 0x4000, 'c'), rebuilt(0x100000, 0x4000, 'd');
  CHECK(first.tag("/lib/one.so") == 0);
  CHECK(elsewhere.tag("/lib/other.so") == 0);
  CHECK(second.tag("/lib/two.so") == uint64_t{1} << kPlaceTagShift);
  // The first comes back to where it was.
  CHECK(first.tag("/lib/one.so") == 0);
  CHECK(second.tag("/lib/two.so") == uint64_t{1} << kPlaceTagShift);
  // Same name, same place, built anew.
  CHECK(rebuilt.tag("/lib/one.so") == uint64_t{2} << kPlaceTagShift);
}
