// What was left out of a capture, as it is stored.
#pragma once

#include "reader/cache/archive.h"
#include "reader/file/left_out.h"

namespace memlens::reader {

template <typename Archive, typename Entries>
void pass_left_out(Archive& archive, Entries& entries) {
  archive.list(entries, [](Archive& each, auto& entry) {
    each(entry.process_index, entry.thread_index, entry.kind, entry.count, entry.offset,
         entry.reason);
  });
}

}  // namespace memlens::reader
