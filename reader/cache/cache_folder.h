// The folder of stored results: which files there are, and that they do not grow without end.
//
// Nothing here is needed for a report, so nothing that fails is an error: what cannot be read is
// not there, what cannot be written is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memlens::reader {

class CacheFolder {
 public:
  // `max_bytes`: of all files together.
  CacheFolder(std::string path, uint64_t max_bytes)
      : path_(std::move(path)), max_bytes_(max_bytes) {}

  // $XDG_CACHE_HOME/memlens, else ~/.cache/memlens; empty where there is no such place, or it is
  // another user's.
  static std::string default_path();

  // The parts stored under a key: as many as asked for, from the first on. Marks them as used.
  // nullopt: not there, damaged, or with fewer parts.
  std::optional<std::vector<std::string>> load(std::string_view key, size_t parts) const;

  // Complete or not at all, in place of what was stored under the key. Removes what was not used
  // for the longest time where the folder becomes too large.
  void store(std::string_view key, const std::vector<std::string>& parts) const;

 private:
  std::string file_of(std::string_view key) const;
  void remove_oldest() const;

  std::string path_;
  uint64_t max_bytes_;
};

}  // namespace memlens::reader
