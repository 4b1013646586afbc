// Captures made by hand, for tests: a plain second implementation of interposer/format/FORMAT.md.
//
// Written from the document, sharing nothing with the interposer's encoder but the constants, and
// with no care for speed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "interposer/format/allocator_statistics.h"
#include "interposer/format/event_codec.h"
#include "interposer/format/file_layout.h"
#include "interposer/format/heap.h"
#include "interposer/format/metadata_records.h"

namespace memlens::testing {

void append_varint(std::string& out, uint64_t value);
void append_string(std::string& out, std::string_view text);

struct FrameFields {
  format::FrameKind kind{};
  uint32_t process = 0;
  uint32_t thread = 0;
  uint32_t sequence = 0;
  uint64_t ticks = 0;
  uint64_t order_epoch = 0;
  bool shared_order = false;
  uint32_t lost_events = 0;
  bool compress = false;
};

// The file: header, then frames in the order they are added.
class CaptureBytes {
 public:
  static constexpr uint64_t kStartTicks = 1'000'000;
  static constexpr uint64_t kStartNs = 5'000'000'000;

  CaptureBytes();

  void add_frame(const FrameFields& fields, std::string_view payload);
  void add_session(std::string_view json);
  // Two moments that make one tick one nanosecond, `until_ticks` the later.
  void add_clock(uint64_t until_ticks);
  void add_process_end(uint32_t process, int pid, uint64_t ticks, int exit_code, int signal = 0);
  void add_trailer(uint64_t end_ticks, std::string_view reason = "finished");

  const std::string& bytes() const { return bytes_; }
  // Where each frame begins, in order.
  const std::vector<size_t>& frame_offsets() const { return frame_offsets_; }

 private:
  std::string bytes_;
  std::vector<size_t> frame_offsets_;
};

// The payload of a process's metadata frames. Ids are given out in order, from 1.
class MetadataBytes {
 public:
  void add_process(int32_t pid, int32_t parent_pid, uint32_t parent_index,
                   format::ProcessOrigin origin, uint64_t ticks, std::string_view executable,
                   const std::vector<std::string>& command);
  void add_thread(uint32_t index, int32_t tid, uint64_t ticks, std::string_view name);
  uint32_t add_string(std::string_view text, size_t part_bytes = SIZE_MAX);
  uint32_t add_code(std::string_view file, std::string_view name, uint32_t first_line,
                    std::string_view line_table, format::LineTableFormat format);
  uint32_t add_python_node(uint32_t parent, uint32_t code, uint32_t instruction);
  uint32_t add_native_node(uint32_t parent, uint64_t address);
  uint32_t add_label_node(uint32_t parent, std::string_view label);
  // `name`: a string's id; 0: none.
  uint32_t add_task_node(uint32_t parent, uint32_t code, uint32_t name);
  void add_module(uint64_t load_bias, uint64_t start, uint64_t end, std::string_view path);
  void add_python(uint32_t minor, std::string_view version);
  void add_diagnostic(format::DiagnosticCode code, std::string_view text);
  void add_heap(uint32_t heap, format::HeapFamily family, uint32_t address_space,
                std::string_view name);
  void add_heap_function(uint32_t kind, uint32_t heap, std::string_view name);
  struct Range {
    uint64_t start, bytes, touched_bytes;
  };
  void add_resident_memory(uint64_t ticks, uint64_t bytes, uint64_t highest,
                           const std::vector<Range>& ranges);
  void add_allocator_statistics(uint64_t ticks, format::StatisticsMoment moment, uint32_t allocator,
                                std::initializer_list<uint64_t> numbers);
  void add_record(uint8_t type, std::string_view body);

  // What was added since the last take(), for one frame.
  std::string take();

 private:
  std::string payload_;
  uint32_t strings_ = 0;
  uint32_t codes_ = 0;
  uint32_t nodes_ = 0;
  uint32_t modules_ = 0;
};

// The payload of one events frame.
class EventBytes {
 public:
  explicit EventBytes(bool shared = false) : shared_(shared) {}

  void allocate(format::AllocationKind kind, uint64_t address, uint64_t size_bytes, uint32_t node,
                uint32_t stamp = 0);
  void free(uint64_t address, uint32_t stamp = 0);
  void map(format::AllocationKind kind, uint64_t address, uint64_t size_bytes, uint32_t node,
           uint32_t stamp = 0);
  void unmap(uint64_t address, uint64_t size_bytes, uint32_t stamp = 0);
  void undo();
  void time(uint64_t passed_ticks);
  void epoch(uint64_t epoch, bool shared);
  void shutdown(bool began);
  void mark(uint32_t string_id);
  void interval(uint64_t sample_bytes);
  void outlived();
  void pool_allocate(uint32_t pool, format::AllocationKind kind, uint64_t address,
                     uint64_t size_bytes, uint32_t node, uint32_t stamp = 0);
  void pool_free(uint32_t pool, uint64_t address, uint32_t stamp = 0);
  void pool_reset(uint32_t pool, uint32_t stamp = 0);

  const std::string& payload() const { return payload_; }

 private:
  struct Triple {
    uint32_t node;
    uint64_t size_bytes;
    format::AllocationKind kind;
    bool operator==(const Triple&) const = default;
  };

  void extended(format::ExtendedOperation operation);
  void begin_pool(format::PoolOperation operation, uint32_t pool);
  void end_pool(uint32_t pool, uint32_t stamp);
  // The delta to code for a stamp on `shard`, which moves on by `step`.
  uint32_t stamp_delta(unsigned shard, uint32_t stamp, uint32_t step);

  bool shared_;
  std::string payload_;
  // In units of 16 bytes.
  std::map<unsigned, uint64_t> last_of_class_;
  uint64_t last_freed_ = 0;
  uint32_t last_node_ = 0;
  std::map<unsigned, Triple> dictionary_;
  std::map<unsigned, uint32_t> last_stamps_;
  std::vector<std::pair<uint64_t, unsigned>> allocations_;  // addresses and size classes
};

}  // namespace memlens::testing
