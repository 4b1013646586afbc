#include "reader/capture/string_table.h"

#include "reader/file/byte_view.h"

namespace memlens::reader {

void StringTable::add_part(StringPool& pool, uint32_t id, uint64_t total_bytes,
                           uint64_t offset_bytes, std::string_view part) {
  strings_.check(id, "string");
  if (part.size() > total_bytes || offset_bytes > total_bytes - part.size())
    throw PayloadError("a part reaches beyond its string");
  if (offset_bytes == 0 && part.size() == total_bytes) {
    set(pool, id, part);
    return;
  }
  Pending& pending = pending_[id];
  if (offset_bytes == 0) {
    pending.total_bytes = total_bytes;
    pending.text.clear();
  }
  // After a gap in the metadata (a capture that was cut) the start can be missing: drop the rest.
  if (pending.total_bytes != total_bytes || offset_bytes != pending.text.size()) return;
  pending.text.append(part);
  if (pending.text.size() == total_bytes) {
    set(pool, id, pending.text);
    pending_.erase(id);
  }
}

void StringTable::finish(StringPool& pool) {
  for (const auto& [id, pending] : pending_) set(pool, id, pending.text);
  pending_.clear();
}

void StringTable::set(StringPool& pool, uint32_t id, std::string_view text) {
  strings_.add(id, "string") = pool.intern(text);
}

}  // namespace memlens::reader
