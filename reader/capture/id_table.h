// A table indexed by ids from the file.
//
// Ids count up from 1, but threads write their records in any order, and a capture that was cut may
// lack some. Ids come in a vector as far as the number of records bears it out, and in a map
// beyond: memory follows the records, whatever ids they name. An id far beyond all of them is
// damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reader/file/byte_view.h"

namespace memlens::reader {

template <typename Item>
class IdTable {
 public:
  // The item of an id that has a record now, or had one before. Throws PayloadError; `what` is for
  // the message.
  Item& add(uint32_t id, const char* what) {
    check(id, what);
    ++records_;
    if (id < dense_.size()) return dense_[id];
    if (id > 4 * records_ + kFirstIds) return far_[id];
    dense_.resize(size_t{id} + 1);
    while (!far_.empty() && far_.begin()->first <= id) {
      dense_[far_.begin()->first] = std::move(far_.begin()->second);
      far_.erase(far_.begin());
    }
    return dense_[id];
  }

  // Throws what add() would.
  void check(uint32_t id, const char* what) const {
    if (id == 0 || id > 2 * records_ + kMaxGap)
      throw PayloadError(std::string("impossible ") + what + " id " + std::to_string(id));
  }

  // Item() for an id that is not there.
  Item get(uint32_t id) const {
    if (id < dense_.size()) return dense_[id];
    const auto found = far_.find(id);
    return found != far_.end() ? found->second : Item();
  }

  // visit(item), in the order of their ids; also Item() for ids in between that have no record.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Item& item : dense_) visit(item);
    for (const auto& [id, item] : far_) visit(item);
  }

 private:
  static constexpr uint64_t kMaxGap = 1u << 20;
  static constexpr uint64_t kFirstIds = 64;

  std::vector<Item> dense_;
  std::map<uint32_t, Item> far_;  // ids beyond dense_
  uint64_t records_ = 0;
};

}  // namespace memlens::reader
