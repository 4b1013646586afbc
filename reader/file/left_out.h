// What of a capture makes no sense and is not read, so that the rest can be.
//
// A recorded program can write anywhere in its memory, also into the chunks that it shares with the
// collector, and what stands there then is copied into frames whose checksums are right. Such
// nonsense costs the chunk or the record it is in and no more: it is left out, counted, and told
// in every report. A wrong checksum is another matter: the file itself was damaged, nothing in it
// can be relied on, and it is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace memlens::reader {

enum class LeftOutKind : uint8_t {
  kEvents,    // chunks of events of one thread
  kMetadata,  // records or frames of one process's metadata
  kOther,     // frames of the collector's own
};

struct LeftOut {
  uint32_t process_index = 0;
  uint32_t thread_index = 0;  // kEvents
  LeftOutKind kind = LeftOutKind::kOther;
  uint64_t count = 0;
  uint64_t offset = 0;  // of the first frame it is in
  std::string reason;   // the first one's
  bool operator==(const LeftOut&) const = default;
};

// One entry a thread (events) or process (all else), however much of it is left out.
class LeftOutList {
 public:
  void add(LeftOutKind kind, uint32_t process_index, uint32_t thread_index, uint64_t offset,
           std::string_view reason);
  std::vector<LeftOut> take() { return std::move(entries_); }
  const std::vector<LeftOut>& entries() const { return entries_; }

 private:
  std::vector<LeftOut> entries_;
};

}  // namespace memlens::reader
