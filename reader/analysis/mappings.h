// The page ranges one process has mapped and not yet unmapped.
//
// A mapping can be unmapped in parts and from the middle, so it may live on as several pieces. It
// stays one block: its bytes shrink with each part, and it counts as freed when the last byte goes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace memlens::reader {

struct Mapping {
  uint64_t touched_bytes = 0;  // when it was made, without what is never touched
  uint64_t live_bytes = 0;
  uint32_t site = 0;
  uint32_t birth = 0;  // as in LiveBlock
  uint8_t generation = 0;
  bool counted = false;
  uint32_t range_birth = 0;        // RangeRecorder::Birth
  uint32_t number = 0;             // of the process's mappings, from 1
  uint64_t untouched_bytes = 0;    // which its site does not have
  uint32_t untouched_account = 0;  // where there are any
};

// A range of one mapping that was unmapped.
struct UnmappedPiece {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::shared_ptr<Mapping> mapping;
};

class Mappings {
 public:
  // What the range held before must have been removed.
  void add(uint64_t address, uint64_t size_bytes, std::shared_ptr<Mapping> mapping);

  // Whether every byte of the range is mapped; a mapping's last page counts as whole.
  bool covers(uint64_t address, uint64_t size_bytes) const;

  // Takes the range away, wherever it is mapped, and returns what it took. `live_bytes` of the
  // mappings is the caller's to change.
  std::vector<UnmappedPiece> remove(uint64_t address, uint64_t size_bytes);

  void clear() { pieces_.clear(); }

  // visit(begin, end, mapping) of every piece.
  template <typename Visit>
  void for_each_range(Visit&& visit) const {
    for (const auto& [begin, piece] : pieces_) visit(begin, piece.end, *piece.mapping);
  }

  // visit(bytes of a piece, its mapping)
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [begin, piece] : pieces_) visit(piece.end - begin, *piece.mapping);
  }

 private:
  struct Piece {
    uint64_t end;
    std::shared_ptr<Mapping> mapping;
  };

  std::map<uint64_t, Piece> pieces_;  // by begin; they do not overlap
};

}  // namespace memlens::reader
