#include "reader/file/left_out.h"

namespace memlens::reader {

void LeftOutList::add(LeftOutKind kind, uint32_t process_index, uint32_t thread_index,
                      uint64_t offset, std::string_view reason) {
  for (LeftOut& entry : entries_) {
    if (entry.kind != kind || entry.process_index != process_index ||
        entry.thread_index != thread_index)
      continue;
    ++entry.count;
    return;
  }
  // More threads than this are no program's; the rest is counted with the last.
  constexpr size_t kMaxEntries = 1000;
  if (entries_.size() == kMaxEntries) {
    ++entries_.back().count;
    return;
  }
  entries_.push_back({process_index, thread_index, kind, 1, offset, std::string(reason)});
}

}  // namespace memlens::reader
