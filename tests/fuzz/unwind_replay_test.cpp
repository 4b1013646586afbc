// The fuzz target of unwind information without the fuzzer: over this program's own, damaged at
// random (always in the same way).
#include <doctest/doctest.h>
#include <link.h>

#include <random>
#include <vector>

#include "tests/fuzz/unwind_fuzz.h"

namespace {

using memlens::testing::unwinds;

struct OwnSection {
  const uint8_t* start = nullptr;
  std::vector<uint8_t> bytes;
};

// Of the program, which comes first: .eh_frame_hdr and what follows it in its segment.
int find_section(dl_phdr_info* object, size_t, void* result) {
  auto& found = *static_cast<OwnSection*>(result);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    if (object->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) {
      found.start =
          reinterpret_cast<const uint8_t*>(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    }
  }
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const auto* begin = reinterpret_cast<const uint8_t*>(object->dlpi_addr + segment.p_vaddr);
    if (segment.p_type != PT_LOAD || found.start < begin ||
        found.start >= begin + segment.p_filesz) {
      continue;
    }
    found.bytes.assign(found.start, begin + segment.p_filesz);
  }
  return 1;
}

OwnSection own_section() {
  OwnSection section;
  dl_iterate_phdr(find_section, &section);
  return section;
}

int32_t distance_of(const OwnSection& section, const void* code) {
  return static_cast<int32_t>(static_cast<const uint8_t*>(code) - section.start);
}

}  // namespace

TEST_CASE("unwind information that is cut or damaged anywhere is read within its bounds") {
  OwnSection section = own_section();
  REQUIRE(section.bytes.size() > 1000);
  const auto code = distance_of(section, reinterpret_cast<const void*>(&own_section));
  REQUIRE(unwinds(section.bytes.data(), section.bytes.size(), code));
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return random() % limit; };
  unsigned found = 0, refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> bytes = section.bytes;
    // The header and its table decide where to look, so half of the damage is there.
    for (size_t i = 1 + below(200); i > 0; --i) {
      const size_t limit = below(2) == 0 ? size_t{64} : bytes.size();
      bytes[below(limit)] = static_cast<uint8_t>(random());
    }
    if (below(3) == 0) bytes.resize(below(bytes.size()));
    const auto distance = below(4) == 0 ? static_cast<int32_t>(random()) : code;
    (unwinds(bytes.data(), bytes.size(), distance) ? found : refused)++;
  }
  CHECK(refused > 100);
  CHECK(found + refused == 2000);
  // Entries alone, the table whole.
  for (int round = 0; round < 2000; ++round) {
    std::vector<uint8_t> bytes = section.bytes;
    for (size_t i = 0; i < bytes.size() / 50; ++i) {
      bytes[bytes.size() / 4 + below(bytes.size() * 3 / 4)] = static_cast<uint8_t>(random());
    }
    found += unwinds(bytes.data(), bytes.size(), code) ? 1 : 0;
  }
  CHECK(found > 0);
}
