// Strings kept once for the whole capture: the processes of a tree mostly have the same ones.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace memlens::reader {

class StringPool {
 public:
  // The view lives as long as the pool.
  std::string_view intern(std::string_view text);

 private:
  static constexpr size_t kBlockBytes = 256 * 1024;

  std::string_view store(std::string_view text);

  std::unordered_set<std::string_view> strings_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t left_bytes_ = 0;  // in the last block, at its end
  char* next_ = nullptr;
};

}  // namespace memlens::reader
