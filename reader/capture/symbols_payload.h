// The payload of a symbols frame: what native addresses are. FORMAT.md, "Symbols".
//
// Encoder and decoder stand side by side so that they change together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace memlens::reader {

// Builds one payload. Addresses must come in ascending order.
class SymbolsEncoder {
 public:
  // One line of an address's frames; views are copied into the payload's string table.
  struct Frame {
    std::string_view function;
    std::string_view linkage_name;
    std::string_view file;
    uint32_t line = 0;
  };

  void add_address(uint64_t address, std::string_view module, std::span<const Frame> frames);
  void add_note(std::string_view module, std::string_view text);

  bool empty() const { return address_count_ == 0 && note_count_ == 0; }
  // What the payload takes by now, for cutting a process's symbols into frames.
  size_t size_bytes() const { return strings_.size() + addresses_.size() + notes_.size(); }
  // The payload, and a fresh start for the next one.
  std::string finish();

 private:
  uint64_t string_number(std::string_view text);

  // Keys are copies: the caller's text may go away between two addresses.
  std::unordered_map<std::string, uint64_t> string_numbers_;
  std::string strings_;
  std::string addresses_;
  std::string notes_;
  uint64_t last_address_ = 0;
  uint64_t address_count_ = 0;
  uint64_t note_count_ = 0;
};

struct DecodedSymbols {
  struct Frame {
    uint32_t function = 0;  // numbers of strings
    uint32_t linkage_name = 0;
    uint32_t file = 0;
    uint32_t line = 0;
  };
  struct Address {
    uint64_t address = 0;
    uint32_t module = 0;
    uint32_t first_frame = 0;  // in `frames`, innermost first
    uint32_t frame_count = 0;
  };
  struct Note {
    uint32_t module = 0;
    uint32_t text = 0;
  };

  std::vector<std::string_view> strings;  // [0] is empty; views into the payload
  std::vector<Address> addresses;         // ascending
  std::vector<Frame> frames;
  std::vector<Note> notes;
};

// Every number in the result is in range. Returns false, with the offset of the damage, on a
// payload no encoder wrote; `symbols` is then unspecified.
bool decode_symbols(std::string_view payload, DecodedSymbols& symbols, size_t& damage_offset);

}  // namespace memlens::reader
