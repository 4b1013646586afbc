#include "reader/text/string_pool.h"

#include <cstring>

namespace memlens::reader {

std::string_view StringPool::intern(std::string_view text) {
  if (text.empty()) return {};
  const auto found = strings_.find(text);
  if (found != strings_.end()) return *found;
  return *strings_.insert(store(text)).first;
}

std::string_view StringPool::store(std::string_view text) {
  if (text.size() > kBlockBytes / 4) {  // a block of its own; the current one stays in use
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(text.size()));
    std::memcpy(blocks_.back().get(), text.data(), text.size());
    return {blocks_.back().get(), text.size()};
  }
  if (text.size() > left_bytes_) {
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    next_ = blocks_.back().get();
    left_bytes_ = kBlockBytes;
  }
  char* copy = next_;
  std::memcpy(copy, text.data(), text.size());
  next_ += text.size();
  left_bytes_ -= text.size();
  return {copy, text.size()};
}

}  // namespace memlens::reader
