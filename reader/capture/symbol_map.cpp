#include "reader/capture/symbol_map.h"

#include <algorithm>
#include <string>

#include "reader/capture/symbols_payload.h"

namespace memlens::reader {

void SymbolMap::add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget) {
  // An address takes seven bytes of the payload or more, and 130 here; a string one, and 80.
  budget.spend(32 * payload.remaining_bytes());
  DecodedSymbols symbols;
  size_t damage_offset = 0;
  const std::string_view bytes = payload.read_bytes(payload.remaining_bytes());
  if (!decode_symbols(bytes, symbols, damage_offset))
    throw PayloadError("the symbols make no sense at byte " + std::to_string(damage_offset));
  for (std::string_view& text : symbols.strings) text = pool.intern(text);
  const auto first_frame = static_cast<uint32_t>(frames_.size());
  for (const DecodedSymbols::Frame& frame : symbols.frames) {
    frames_.push_back({symbols.strings[frame.function], symbols.strings[frame.linkage_name],
                       symbols.strings[frame.file], std::string_view(), frame.line});
  }
  for (const DecodedSymbols::Address& address : symbols.addresses) {
    const Entry entry{address.address, first_frame + address.first_frame, address.frame_count};
    for (uint32_t i = 0; i < entry.frame_count; ++i)
      frames_[entry.first_frame + i].module = symbols.strings[address.module];
    entries_.push_back(entry);
  }
  for (const DecodedSymbols::Note& note : symbols.notes)
    notes_.emplace_back(symbols.strings[note.module], symbols.strings[note.text]);
}

void SymbolMap::finish() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.address < b.address; });
}

std::span<const SymbolFrame> SymbolMap::find(uint64_t address) const {
  const auto entry =
      std::lower_bound(entries_.begin(), entries_.end(), address,
                       [](const Entry& e, uint64_t value) { return e.address < value; });
  if (entry == entries_.end() || entry->address != address) return {};
  return std::span(frames_).subspan(entry->first_frame, entry->frame_count);
}

}  // namespace memlens::reader
