// The fuzz target without the fuzzer: over what it has found, the golden captures, and mutations of
// those made at random (always the same ones).

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/repair_checksums.h"
#include "tests/support/describe_capture.h"
#include "tests/support/sample_captures.h"
#include "tests/support/temporary_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

TEST_CASE("what fuzzing found stays fixed") {
  size_t cases = 0;
  for (const char* directory : {MEMLENS_FUZZ_CASES, MEMLENS_GOLDEN_DIRECTORY}) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::ifstream file(entry.path(), std::ios::binary);
      run(std::string(std::istreambuf_iterator<char>(file), {}));
      ++cases;
    }
  }
  CHECK(cases > 0);
}

TEST_CASE("captures mutated at random are read or refused") {
  std::mt19937_64 random(1);
  for (const auto& [name, bytes] : memlens::testing::sample_captures()) {
    if (bytes.empty()) continue;
    for (int round = 0; round < 60; ++round) {
      std::string mutated = bytes;
      for (uint64_t count = 1 + random() % 4; count > 0; --count) {
        const size_t at = random() % mutated.size();
        switch (random() % 4) {
          case 0:
            mutated[at] = static_cast<char>(mutated[at] ^ 1 << random() % 8);
            break;
          case 1:
            mutated[at] = static_cast<char>(random());
            break;
          case 2:
            mutated.erase(at, 1 + random() % 8);
            break;
          default:
            mutated.insert(at, mutated.substr(random() % mutated.size(), 1 + random() % 16));
            break;
        }
        if (mutated.empty()) mutated = "x";
      }
      run(mutated);
    }
  }
}

TEST_CASE("any flipped bit of a capture is an error, or changes nothing") {
  const std::string whole = memlens::testing::sample_captures().at("everything");
  const memlens::testing::TemporaryFile file(whole);
  const std::string expected = memlens::testing::describe_capture(file.path());
  REQUIRE(expected.rfind("error", 0) != 0);
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << at % 8);
    file.overwrite(flipped);
    const std::string got = memlens::testing::describe_capture(file.path());
    const bool is_error = got.rfind("error: ", 0) == 0;
    refused += is_error;
    if (!is_error) CHECK(got == expected);
  }
  // All but the payload of a frame of unknown kind is under a checksum that is looked at.
  CHECK(refused >= whole.size() - 20);
}
