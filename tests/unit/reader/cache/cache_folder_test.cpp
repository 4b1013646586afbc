#include "reader/cache/cache_folder.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

using memlens::reader::CacheFolder;
namespace fs = std::filesystem;

namespace {

// A folder of its own that is gone with the test.
struct Folder {
  Folder() {
    char name[] = "/tmp/memlens-index-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

std::string noise(size_t size_bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

constexpr uint64_t kPlenty = 1 << 30;

}  // namespace

TEST_CASE("what is stored under a key is loaded, in parts, and under no other key") {
  const Folder folder;
  const CacheFolder index((folder.path / "made" / "for it").string(), kPlenty);
  CHECK_FALSE(index.load("key", 1));
  index.store("key", {"first", std::string(100'000, 'x'), ""});
  index.store("other", {"other's"});
  CHECK(index.load("key", 1) == std::vector<std::string>{"first"});
  CHECK(index.load("key", 3) == std::vector<std::string>{"first", std::string(100'000, 'x'), ""});
  CHECK_FALSE(index.load("key", 4));
  CHECK(index.load("other", 1) == std::vector<std::string>{"other's"});
  CHECK_FALSE(index.load("others", 1));
  index.store("key", {"second"});
  CHECK(index.load("key", 1) == std::vector<std::string>{"second"});
}

TEST_CASE("a file with any byte changed, or cut anywhere, is not there") {
  const Folder folder;
  const CacheFolder index(folder.path.string(), kPlenty);
  index.store("key", {"first part", noise(50, 1)});
  const auto files = files_in(folder.path);
  REQUIRE(files.size() == 1);
  std::ifstream in(files[0], std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto put = [&](const std::string& bytes) {
    std::ofstream(files[0], std::ios::binary | std::ios::trunc) << bytes;
  };
  const auto expected = index.load("key", 2);
  for (size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    put(bad);
    // More parts than there are is no damage to the first two.
    const auto read = index.load("key", 2);
    CHECK((!read || read == expected));
    if (i < 8 || i >= 24) CHECK_FALSE(read);
    put(good.substr(0, i));
    CHECK_FALSE(index.load("key", 2));
  }
  put(good);
  CHECK(index.load("key", 2) == expected);
}

TEST_CASE("the folder stays below its size; what was not used for the longest time goes first") {
  const Folder folder;
  const CacheFolder index(folder.path.string(), 100'000);
  const auto age = [&](int minutes) {
    for (const fs::path& file : files_in(folder.path))
      fs::last_write_time(file, fs::last_write_time(file) - std::chrono::minutes(minutes));
  };
  for (const char* key : {"a", "b", "c"}) {
    age(1);
    index.store(key, {noise(30'000, 7)});
  }
  age(1);
  CHECK(index.load("a", 1));  // used: now the newest
  age(1);
  index.store("d", {noise(30'000, 8)});
  CHECK(index.load("a", 1));
  CHECK_FALSE(index.load("b", 1));
  CHECK(index.load("c", 1));
  CHECK(index.load("d", 1));
  index.store("too large for it", {noise(60'000, 9)});
  CHECK_FALSE(index.load("too large for it", 1));
  CHECK(files_in(folder.path).size() == 3);
}

TEST_CASE("a file that a killed writer left is removed after a while; others' files stay") {
  const Folder folder;
  const CacheFolder index(folder.path.string(), kPlenty);
  for (const char* name : {"old.index.1.part", "new.index.2.part", "a user's"})
    std::ofstream(folder.path / name) << "x";
  for (const char* name : {"old.index.1.part", "a user's"})
    fs::last_write_time(folder.path / name,
                        fs::file_time_type::clock::now() - std::chrono::hours(2));
  index.store("key", {"value"});
  CHECK_FALSE(fs::exists(folder.path / "old.index.1.part"));
  CHECK(fs::exists(folder.path / "new.index.2.part"));
  CHECK(fs::exists(folder.path / "a user's"));
}

TEST_CASE("a folder that cannot be made is no error") {
  const CacheFolder index("/proc/memlens", kPlenty);
  index.store("key", {"value"});
  CHECK_FALSE(index.load("key", 1));
}
