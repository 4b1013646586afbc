#include "reader/capture/symbols_payload.h"

#include "interposer/format/primitives.h"

namespace memlens::reader {
namespace {

void append_varint(std::string& out, uint64_t value) {
  uint8_t bytes[format::kMaxVarintBytes];
  const uint8_t* end = format::encode_varint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), end - bytes);
}

// Reads within the payload; after the first failure every read fails.
class Cursor {
 public:
  explicit Cursor(std::string_view payload)
      : begin_(reinterpret_cast<const uint8_t*>(payload.data())),
        in_(begin_),
        end_(begin_ + payload.size()) {}

  bool varint(uint64_t& value) {
    const uint8_t* next = format::decode_varint(in_, end_, value);
    if (next == nullptr) return false;
    in_ = next;
    return true;
  }

  bool number_below(uint64_t limit, uint32_t& number) {
    uint64_t value;
    if (!varint(value) || value >= limit) return false;
    number = static_cast<uint32_t>(value);
    return true;
  }

  // A count of things that take at least `least_bytes` each: no count can make us allocate more
  // than the payload could fill.
  bool count(size_t least_bytes, uint64_t& value) {
    return varint(value) && value <= remaining() / least_bytes;
  }

  bool string(std::string_view& text) {
    uint64_t length;
    if (!count(1, length)) return false;
    text = {reinterpret_cast<const char*>(in_), static_cast<size_t>(length)};
    in_ += length;
    return true;
  }

  size_t remaining() const { return end_ - in_; }
  size_t offset() const { return in_ - begin_; }

 private:
  const uint8_t* begin_;
  const uint8_t* in_;
  const uint8_t* end_;
};

bool decode_strings(Cursor& cursor, DecodedSymbols& symbols) {
  uint64_t count;
  if (!cursor.count(1, count)) return false;
  symbols.strings.assign(1, std::string_view());
  symbols.strings.reserve(count + 1);
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    if (!cursor.string(text)) return false;
    symbols.strings.push_back(text);
  }
  return true;
}

bool decode_frame(Cursor& cursor, size_t string_count, DecodedSymbols::Frame& frame) {
  return cursor.number_below(string_count, frame.function) && frame.function != 0 &&
         cursor.number_below(string_count, frame.linkage_name) &&
         cursor.number_below(string_count, frame.file) &&
         cursor.number_below(uint64_t{1} << 32, frame.line);
}

bool decode_addresses(Cursor& cursor, DecodedSymbols& symbols) {
  constexpr size_t kFrameBytes = 4;
  constexpr size_t kAddressBytes = 3 + kFrameBytes;
  const size_t string_count = symbols.strings.size();
  uint64_t count;
  if (!cursor.count(kAddressBytes, count)) return false;
  symbols.addresses.reserve(count);
  uint64_t address = 0;
  for (uint64_t i = 0; i < count; ++i) {
    DecodedSymbols::Address entry;
    uint64_t delta;
    uint64_t frames;
    if (!cursor.varint(delta) || (i > 0 && delta == 0) || address + delta < address) return false;
    if (!cursor.number_below(string_count, entry.module)) return false;
    if (!cursor.count(kFrameBytes, frames) || frames == 0) return false;
    address += delta;
    entry.address = address;
    entry.first_frame = static_cast<uint32_t>(symbols.frames.size());
    entry.frame_count = static_cast<uint32_t>(frames);
    for (uint64_t f = 0; f < frames; ++f) {
      DecodedSymbols::Frame frame;
      if (!decode_frame(cursor, string_count, frame)) return false;
      symbols.frames.push_back(frame);
    }
    symbols.addresses.push_back(entry);
  }
  return true;
}

bool decode_notes(Cursor& cursor, DecodedSymbols& symbols) {
  const size_t string_count = symbols.strings.size();
  uint64_t count;
  if (!cursor.count(2, count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    DecodedSymbols::Note note;
    if (!cursor.number_below(string_count, note.module) ||
        !cursor.number_below(string_count, note.text)) {
      return false;
    }
    symbols.notes.push_back(note);
  }
  return true;
}

}  // namespace

uint64_t SymbolsEncoder::string_number(std::string_view text) {
  if (text.empty()) return 0;
  auto [entry, is_new] = string_numbers_.try_emplace(std::string(text), string_numbers_.size() + 1);
  if (is_new) {
    append_varint(strings_, text.size());
    strings_.append(text);
  }
  return entry->second;
}

void SymbolsEncoder::add_address(uint64_t address, std::string_view module,
                                 std::span<const Frame> frames) {
  append_varint(addresses_, address - last_address_);
  append_varint(addresses_, string_number(module));
  append_varint(addresses_, frames.size());
  for (const Frame& frame : frames) {
    append_varint(addresses_, string_number(frame.function));
    append_varint(addresses_, string_number(frame.linkage_name));
    append_varint(addresses_, string_number(frame.file));
    append_varint(addresses_, frame.line);
  }
  last_address_ = address;
  ++address_count_;
}

void SymbolsEncoder::add_note(std::string_view module, std::string_view text) {
  append_varint(notes_, string_number(module));
  append_varint(notes_, string_number(text));
  ++note_count_;
}

std::string SymbolsEncoder::finish() {
  std::string payload;
  payload.reserve(size_bytes() + 3 * format::kMaxVarintBytes);
  append_varint(payload, string_numbers_.size());
  payload += strings_;
  append_varint(payload, address_count_);
  payload += addresses_;
  append_varint(payload, note_count_);
  payload += notes_;
  *this = SymbolsEncoder();
  return payload;
}

bool decode_symbols(std::string_view payload, DecodedSymbols& symbols, size_t& damage_offset) {
  symbols = {};
  Cursor cursor(payload);
  const bool good = decode_strings(cursor, symbols) && decode_addresses(cursor, symbols) &&
                    decode_notes(cursor, symbols) && cursor.remaining() == 0;
  damage_offset = cursor.offset();
  return good;
}

}  // namespace memlens::reader
