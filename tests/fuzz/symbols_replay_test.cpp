// The fuzz target of debug information and names without the fuzzer: over its cases, and mutations
// of those made at random (always the same ones).

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

TEST_CASE("debug information and names mutated at random are read or given up on") {
  std::mt19937_64 random(1);
  std::set<char> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(MEMLENS_SYMBOL_CASES)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string whole(std::istreambuf_iterator<char>(file), {});
    REQUIRE(!whole.empty());
    kinds.insert(whole[0]);
    run(whole);
    // elfutils is given what it is known to survive: it reads files of others in a process apart.
    if (whole[0] == 'E') continue;
    for (int round = 0; round < 300; ++round) {
      std::string mutated = whole;
      for (uint64_t count = 1 + random() % 3; count > 0; --count) {
        const size_t at = 1 + random() % mutated.size();
        if (at >= mutated.size()) continue;
        switch (random() % 3) {
          case 0:
            mutated[at] = static_cast<char>(random());
            break;
          case 1:
            mutated.resize(at);
            break;
          default:
            mutated.insert(at, mutated.substr(random() % mutated.size(), 1 + random() % 16));
            break;
        }
      }
      run(mutated);
    }
  }
  CHECK(kinds == std::set<char>{'E', 'L', 'N', 'P', 'S'});
}
