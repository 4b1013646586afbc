#include "reader/analysis/mappings.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace memlens::reader {

void Mappings::add(uint64_t address, uint64_t size_bytes, std::shared_ptr<Mapping> mapping) {
  if (size_bytes > 0) pieces_[address] = {address + size_bytes, std::move(mapping)};
}

namespace {

// Mappings hold the bytes asked for, unmaps whole pages, of at least this size.
constexpr uint64_t end_of_page(uint64_t address) { return (address + 4095) & ~uint64_t{4095}; }

}  // namespace

bool Mappings::covers(uint64_t address, uint64_t size_bytes) const {
  const uint64_t end = address + size_bytes;
  auto after = pieces_.upper_bound(address);
  if (after == pieces_.begin()) return size_bytes == 0;
  for (auto piece = std::prev(after);; ++piece) {
    if (address >= end) return true;
    if (piece == pieces_.end() || piece->first > address) return false;
    const uint64_t piece_end = end_of_page(piece->second.end);
    if (piece_end <= address) return false;
    address = piece_end;
  }
}

std::vector<UnmappedPiece> Mappings::remove(uint64_t address, uint64_t size_bytes) {
  const uint64_t end = address + size_bytes;
  std::vector<UnmappedPiece> removed;
  auto piece = pieces_.upper_bound(address);
  if (piece != pieces_.begin() && std::prev(piece)->second.end > address) --piece;
  while (piece != pieces_.end() && piece->first < end) {
    const uint64_t piece_begin = piece->first;
    const Piece whole = piece->second;
    piece = pieces_.erase(piece);
    if (piece_begin < address) pieces_[piece_begin] = {address, whole.mapping};
    if (whole.end > end) pieces_[end] = {whole.end, whole.mapping};
    removed.push_back({std::max(piece_begin, address), std::min(whole.end, end), whole.mapping});
  }
  return removed;
}

}  // namespace memlens::reader
