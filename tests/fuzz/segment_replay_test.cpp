// The segment's fuzz target without the fuzzer: over what it has found, and histories made at
// random (always the same ones).

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

TEST_CASE("what fuzzing of the segment found stays fixed") {
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MEMLENS_SEGMENT_CASES)) {
    ++cases;
    std::ifstream file(entry.path(), std::ios::binary);
    run(std::string(std::istreambuf_iterator<char>(file), {}));
  }
  CHECK(cases >= 6);
}

TEST_CASE("whatever programs write into the segment, the collector ends with a whole capture") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 150; ++round) {
    std::string history;
    for (uint64_t steps = 1 + random() % 120; steps > 0; --steps) {
      history += static_cast<char>(random());
      history += static_cast<char>(random());
      // Small numbers half of the time: they are what slots, kinds and sizes are.
      const uint64_t number = random() % 2 == 0 ? random() : random() % 64;
      history.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    run(history);
  }
}
