// What the native addresses of one process are: functions, files and lines, inlined frames first.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "reader/file/byte_view.h"
#include "reader/file/memory_budget.h"
#include "reader/text/string_pool.h"

namespace memlens::reader {

struct SymbolFrame {
  std::string_view function;      // empty: unknown, like the others
  std::string_view linkage_name;  // empty: the same as the function
  std::string_view file;
  std::string_view module;
  uint32_t line = 0;
};

class SymbolMap {
 public:
  // Adds what one symbols frame holds. Throws PayloadError, OverBudget.
  void add_payload(ByteView payload, StringPool& pool, MemoryBudget& budget);
  void clear() { *this = SymbolMap(); }
  void finish();  // after the last add_payload(), before find()

  // Innermost first; empty: the address was not resolved.
  std::span<const SymbolFrame> find(uint64_t address) const;

  // Every address, in the order they came.
  template <typename Visitor>
  void visit(Visitor&& visitor) const {
    for (const Entry& entry : entries_) {
      visitor(entry.address, std::span(frames_).subspan(entry.first_frame, entry.frame_count));
    }
  }

  // Why a module's addresses have no names or no lines: module, text.
  const std::vector<std::pair<std::string_view, std::string_view>>& notes() const { return notes_; }

 private:
  struct Entry {
    uint64_t address;
    uint32_t first_frame;
    uint32_t frame_count;
  };

  std::vector<Entry> entries_;  // ascending after finish()
  std::vector<SymbolFrame> frames_;
  std::vector<std::pair<std::string_view, std::string_view>> notes_;
};

}  // namespace memlens::reader
