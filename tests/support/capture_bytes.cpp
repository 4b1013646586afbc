#include "tests/support/capture_bytes.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "interposer/format/version.h"

namespace memlens::testing {

using format::AllocationKind;
using format::ExtendedOperation;
using format::FrameKind;
using format::MetadataType;

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void append_string(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out.append(text);
}

namespace {

uint64_t zigzag(int64_t value) {
  const uint64_t doubled = static_cast<uint64_t>(value) << 1;
  return value < 0 ? ~doubled : doubled;
}

void append_zigzag(std::string& out, int64_t value) { append_varint(out, zigzag(value)); }

bool is_long(uint64_t address) { return address % 16 != 0 || address >> 48 != 0; }

unsigned size_class_of(AllocationKind kind, uint64_t size_bytes) {
  if (format::allocator_of(kind) == format::Allocator::kPython && size_bytes <= 512) {
    return std::max(1u, static_cast<unsigned>((size_bytes + 15) / 16));
  }
  return 64 + static_cast<unsigned>(std::clamp<uint64_t>((size_bytes + 8 + 15) / 16, 2, 63));
}

}  // namespace

// ---- the file

CaptureBytes::CaptureBytes() {
  format::FileHeader header{};
  std::memcpy(header.magic, format::kFileMagic, sizeof header.magic);
  header.version_major = format::kVersionMajor;
  header.version_minor = format::kVersionMinor;
  header.header_bytes = sizeof header;
  header.session_id = 0x1234567890abcdef;
  header.start_ticks = kStartTicks;
  header.start_monotonic_ns = kStartNs;
  header.start_unix_ns = 1'700'000'000'000'000'000;
  header.checksum = XXH32(&header, offsetof(format::FileHeader, checksum), 0);
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
}

void CaptureBytes::add_frame(const FrameFields& fields, std::string_view payload) {
  std::string stored(payload);
  if (fields.compress) {
    stored.resize(ZSTD_compressBound(payload.size()));
    const size_t size_bytes =
        ZSTD_compress(stored.data(), stored.size(), payload.data(), payload.size(), 1);
    if (ZSTD_isError(size_bytes)) throw std::runtime_error("zstd");
    stored.resize(size_bytes);
  }
  const bool events =
      fields.kind == FrameKind::kEvents || fields.kind == FrameKind::kSampledEvents ||
      fields.kind == FrameKind::kUnfinishedEvents || fields.kind == FrameKind::kCarriedBlocks;
  format::FrameHeader header{};
  header.magic = format::kFrameMagic;
  header.kind = static_cast<uint16_t>(fields.kind);
  header.flags = static_cast<uint16_t>((fields.compress ? format::kFrameCompressed : 0) |
                                       (fields.shared_order ? format::kFrameSharedOrder : 0) |
                                       (events ? format::kFrameByClass : 0));
  header.process = fields.process;
  header.thread = fields.thread;
  header.sequence = fields.sequence;
  header.stored_bytes = static_cast<uint32_t>(stored.size());
  header.raw_bytes = static_cast<uint32_t>(payload.size());
  header.lost_events = fields.lost_events;
  header.ticks = fields.ticks;
  header.order_epoch = fields.order_epoch;
  header.payload_checksum = XXH32(stored.data(), stored.size(), 0);
  header.header_checksum = XXH32(&header, offsetof(format::FrameHeader, header_checksum), 0);
  frame_offsets_.push_back(bytes_.size());
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(stored);
}

void CaptureBytes::add_session(std::string_view json) {
  add_frame({.kind = FrameKind::kSession, .ticks = kStartTicks}, json);
}

void CaptureBytes::add_clock(uint64_t until_ticks) {
  std::string payload;
  append_varint(payload, kStartTicks);
  append_varint(payload, kStartNs);
  append_varint(payload, until_ticks);
  append_varint(payload, kStartNs + (until_ticks - kStartTicks));
  add_frame({.kind = FrameKind::kClock, .ticks = kStartTicks}, payload);
}

void CaptureBytes::add_process_end(uint32_t process, int pid, uint64_t ticks, int exit_code,
                                   int signal) {
  const std::string json = "{\"process\":" + std::to_string(process) +
                           ",\"pid\":" + std::to_string(pid) +
                           ",\"ticks\":" + std::to_string(ticks) +
                           ",\"exit_code\":" + (signal == 0 ? std::to_string(exit_code) : "null") +
                           ",\"signal\":" + (signal == 0 ? "null" : std::to_string(signal)) + "}";
  add_frame({.kind = FrameKind::kProcessEnd, .process = process, .ticks = ticks}, json);
}

void CaptureBytes::add_trailer(uint64_t end_ticks, std::string_view reason) {
  const std::string json =
      "{\"end_ticks\":" + std::to_string(end_ticks) +
      ",\"end_monotonic_ns\":" + std::to_string(kStartNs + (end_ticks - kStartTicks)) +
      ",\"reason\":\"" + std::string(reason) + "\",\"exit_code\":0,\"lost_processes\":0}";
  add_frame({.kind = FrameKind::kTrailer, .ticks = end_ticks}, json);
}

// ---- metadata

void MetadataBytes::add_record(uint8_t type, std::string_view body) {
  payload_.push_back(static_cast<char>(type));
  append_string(payload_, body);
}

void MetadataBytes::add_process(int32_t pid, int32_t parent_pid, uint32_t parent_index,
                                format::ProcessOrigin origin, uint64_t ticks,
                                std::string_view executable,
                                const std::vector<std::string>& command) {
  std::string body;
  append_varint(body, static_cast<uint64_t>(pid));
  append_varint(body, static_cast<uint64_t>(parent_pid));
  append_varint(body, parent_index);
  append_varint(body, static_cast<uint64_t>(origin));
  append_varint(body, ticks);
  append_string(body, executable);
  std::string line;
  for (const std::string& argument : command) line += argument + '\0';
  append_string(body, line);
  add_record(static_cast<uint8_t>(MetadataType::kProcess), body);
}

void MetadataBytes::add_thread(uint32_t index, int32_t tid, uint64_t ticks, std::string_view name) {
  std::string body;
  append_varint(body, index);
  append_varint(body, static_cast<uint64_t>(tid));
  append_varint(body, ticks);
  append_string(body, name);
  add_record(static_cast<uint8_t>(MetadataType::kThread), body);
}

uint32_t MetadataBytes::add_string(std::string_view text, size_t part_bytes) {
  const uint32_t id = ++strings_;
  size_t offset = 0;
  do {
    const std::string_view part = text.substr(offset, part_bytes);
    std::string body;
    append_varint(body, id);
    append_varint(body, text.size());
    append_varint(body, offset);
    append_string(body, part);
    add_record(static_cast<uint8_t>(MetadataType::kString), body);
    offset += part.size();
  } while (offset < text.size());
  return id;
}

uint32_t MetadataBytes::add_code(std::string_view file, std::string_view name, uint32_t first_line,
                                 std::string_view line_table, format::LineTableFormat format) {
  const uint32_t file_id = add_string(file);
  const uint32_t name_id = add_string(name);
  const uint32_t table_id = add_string(line_table);
  const uint32_t id = ++codes_;
  std::string body;
  append_varint(body, id);
  append_varint(body, file_id);
  append_varint(body, name_id);
  append_varint(body, first_line);
  append_varint(body, table_id);
  append_varint(body, static_cast<uint64_t>(format));
  add_record(static_cast<uint8_t>(MetadataType::kCode), body);
  return id;
}

uint32_t MetadataBytes::add_python_node(uint32_t parent, uint32_t code, uint32_t instruction) {
  const uint32_t id = ++nodes_;
  std::string body;
  append_varint(body, id - parent);
  append_varint(body, code);
  append_varint(body, instruction);
  add_record(static_cast<uint8_t>(MetadataType::kNextPythonNode), body);
  return id;
}

uint32_t MetadataBytes::add_native_node(uint32_t parent, uint64_t address) {
  const uint32_t id = ++nodes_;
  std::string body;
  append_varint(body, id - parent);
  append_varint(body, address);
  add_record(static_cast<uint8_t>(MetadataType::kNextNativeNode), body);
  return id;
}

uint32_t MetadataBytes::add_label_node(uint32_t parent, std::string_view label) {
  const uint32_t id = ++nodes_;
  std::string body;
  append_varint(body, id);
  append_varint(body, parent);
  append_string(body, label);
  add_record(static_cast<uint8_t>(MetadataType::kLabelNode), body);
  return id;
}

uint32_t MetadataBytes::add_task_node(uint32_t parent, uint32_t code, uint32_t name) {
  const uint32_t id = ++nodes_;
  std::string body;
  append_varint(body, id);
  append_varint(body, parent);
  append_varint(body, code);
  append_varint(body, name);
  add_record(static_cast<uint8_t>(MetadataType::kTaskNode), body);
  return id;
}

void MetadataBytes::add_module(uint64_t load_bias, uint64_t start, uint64_t end,
                               std::string_view path) {
  std::string body;
  append_varint(body, ++modules_);
  append_varint(body, load_bias);
  append_varint(body, start);
  append_varint(body, end);
  append_varint(body, 1);
  append_string(body, path);
  append_string(body, "build-id");
  add_record(static_cast<uint8_t>(MetadataType::kModule), body);
}

void MetadataBytes::add_python(uint32_t minor, std::string_view version) {
  std::string body;
  append_varint(body, minor);
  append_varint(body, 3u << 24 | minor << 16);
  append_string(body, version);
  append_string(body, "frames");
  add_record(static_cast<uint8_t>(MetadataType::kPython), body);
}

void MetadataBytes::add_diagnostic(format::DiagnosticCode code, std::string_view text) {
  std::string body;
  append_varint(body, static_cast<uint64_t>(code));
  append_string(body, text);
  add_record(static_cast<uint8_t>(MetadataType::kDiagnostic), body);
}

void MetadataBytes::add_heap(uint32_t heap, format::HeapFamily family, uint32_t address_space,
                             std::string_view name) {
  std::string body;
  append_varint(body, heap);
  append_varint(body, static_cast<uint64_t>(family));
  append_varint(body, address_space);
  append_string(body, name);
  add_record(static_cast<uint8_t>(MetadataType::kHeap), body);
}

void MetadataBytes::add_heap_function(uint32_t kind, uint32_t heap, std::string_view name) {
  std::string body;
  append_varint(body, kind);
  append_varint(body, heap);
  append_string(body, name);
  add_record(static_cast<uint8_t>(MetadataType::kHeapFunction), body);
}

void MetadataBytes::add_resident_memory(uint64_t ticks, uint64_t bytes, uint64_t highest,
                                        const std::vector<Range>& ranges) {
  std::string encoded;
  for (const Range& range : ranges) {
    append_varint(encoded, range.start);
    append_varint(encoded, range.bytes);
    append_varint(encoded, range.touched_bytes);
  }
  std::string body;
  append_varint(body, ticks);
  append_varint(body, bytes);
  append_varint(body, highest);
  append_string(body, encoded);
  add_record(static_cast<uint8_t>(MetadataType::kResidentMemory), body);
}

void MetadataBytes::add_allocator_statistics(uint64_t ticks, format::StatisticsMoment moment,
                                             uint32_t allocator,
                                             std::initializer_list<uint64_t> numbers) {
  std::string encoded;
  for (const uint64_t number : numbers) append_varint(encoded, number);
  std::string body;
  append_varint(body, ticks);
  append_varint(body, static_cast<uint64_t>(moment));
  append_varint(body, allocator);
  append_string(body, encoded);
  add_record(static_cast<uint8_t>(MetadataType::kAllocatorStatistics), body);
}

std::string MetadataBytes::take() { return std::exchange(payload_, {}); }

// ---- events

void EventBytes::extended(ExtendedOperation operation) {
  payload_.push_back(static_cast<char>(3 | static_cast<int>(operation) << 4));
}

uint32_t EventBytes::stamp_delta(unsigned shard, uint32_t stamp, uint32_t step) {
  const uint32_t delta = stamp - last_stamps_[shard];
  last_stamps_[shard] = stamp + step;
  return delta;
}

void EventBytes::allocate(AllocationKind kind, uint64_t address, uint64_t size_bytes, uint32_t node,
                          uint32_t stamp) {
  const unsigned shard = format::shard_of(address);
  if (is_long(address) || size_bytes >= uint64_t{1} << 32) {
    extended(ExtendedOperation::kAllocate);
    payload_.push_back(static_cast<char>(kind));
    append_varint(payload_, address);
    append_varint(payload_, size_bytes);
    append_varint(payload_, node);
    if (shared_) append_varint(payload_, stamp_delta(shard, stamp, 0));
    return;
  }
  unsigned tag = 1;
  std::string rest;
  const unsigned slot = (node * 0x9E3779B1u ^ static_cast<uint32_t>(size_bytes) * 0x85EBCA6Bu ^
                         static_cast<uint32_t>(kind) * 0xC2B2AE35u) >>
                        24;
  const Triple triple{node, size_bytes, kind};
  const auto known = dictionary_.find(slot);
  if (known != dictionary_.end() && known->second == triple) {
    tag |= 4;
    rest.push_back(static_cast<char>(slot));
  } else {
    dictionary_.insert_or_assign(slot, triple);
    rest.push_back(static_cast<char>(kind));
    append_varint(rest, size_bytes);
    append_zigzag(rest, int64_t{node} - int64_t{last_node_});
  }
  last_node_ = node;
  const unsigned size_class = size_class_of(kind, size_bytes);
  const uint64_t distance = zigzag(static_cast<int64_t>(address / 16 - last_of_class_[size_class]));
  last_of_class_[size_class] = address / 16;
  if (distance < 15) {
    tag |= static_cast<unsigned>(distance + 1) << 4;
  } else {
    append_varint(rest, distance);
  }
  allocations_.emplace_back(address, size_class);
  if (shared_) {
    const uint32_t delta = stamp_delta(shard, stamp, 0);
    if (delta != 0) {
      tag |= 8;
      append_varint(rest, delta);
    }
  }
  payload_.push_back(static_cast<char>(tag));
  payload_ += rest;
}

void EventBytes::free(uint64_t address, uint32_t stamp) {
  const unsigned shard = format::shard_of(address);
  unsigned tag = 0;
  std::string rest;
  uint64_t distance = 0;
  bool hit = false;
  for (size_t back = 0; back < allocations_.size() && back < 200 && !hit; ++back) {
    const auto& [allocated, size_class] = allocations_[allocations_.size() - 1 - back];
    hit = allocated == address;
    if (!hit) continue;
    distance = back;
    if (size_class <= 32) last_of_class_[size_class] = address / 16;
  }
  if (hit) {
    tag |= 4;
  } else if (is_long(address)) {
    extended(ExtendedOperation::kFree);
    append_varint(payload_, address);
    if (shared_) append_varint(payload_, stamp_delta(shard, stamp, 1));
    return;
  } else {
    distance = zigzag(static_cast<int64_t>(address / 16 - last_freed_));
  }
  last_freed_ = address / 16;
  if (distance < 15) {
    tag |= static_cast<unsigned>(distance + 1) << 4;
  } else {
    append_varint(rest, distance);
  }
  if (shared_) {
    const uint32_t delta = stamp_delta(shard, stamp, 1);
    if (delta != 0) {
      tag |= 8;
      append_varint(rest, delta);
    }
  }
  payload_.push_back(static_cast<char>(tag));
  payload_ += rest;
}

void EventBytes::map(AllocationKind kind, uint64_t address, uint64_t size_bytes, uint32_t node,
                     uint32_t stamp) {
  extended(ExtendedOperation::kMap);
  payload_.push_back(static_cast<char>(kind));
  append_varint(payload_, address);
  append_varint(payload_, size_bytes);
  append_varint(payload_, node);
  if (shared_) append_varint(payload_, stamp_delta(256, stamp, 0));
}

void EventBytes::unmap(uint64_t address, uint64_t size_bytes, uint32_t stamp) {
  extended(ExtendedOperation::kUnmap);
  append_varint(payload_, address);
  append_varint(payload_, size_bytes);
  if (shared_) append_varint(payload_, stamp_delta(256, stamp, 1));
}

void EventBytes::undo() { extended(ExtendedOperation::kUndo); }

void EventBytes::time(uint64_t passed_ticks) {
  extended(ExtendedOperation::kTime);
  append_varint(payload_, passed_ticks);
}

void EventBytes::interval(uint64_t sample_bytes) {
  extended(ExtendedOperation::kInterval);
  append_varint(payload_, sample_bytes);
}

void EventBytes::outlived() { extended(ExtendedOperation::kOutlived); }

void EventBytes::begin_pool(format::PoolOperation operation, uint32_t pool) {
  extended(ExtendedOperation::kPool);
  payload_.push_back(static_cast<char>(operation));
  append_varint(payload_, pool);
}

void EventBytes::end_pool(uint32_t pool, uint32_t stamp) {
  const unsigned shard = format::shard_of(uint64_t{pool} << 12);
  if (shared_) append_varint(payload_, stamp_delta(shard, stamp, 1));
}

void EventBytes::pool_allocate(uint32_t pool, AllocationKind kind, uint64_t address,
                               uint64_t size_bytes, uint32_t node, uint32_t stamp) {
  begin_pool(format::PoolOperation::kAllocate, pool);
  payload_.push_back(static_cast<char>(kind));
  append_varint(payload_, address);
  append_varint(payload_, size_bytes);
  append_varint(payload_, node);
  end_pool(pool, stamp);
}

void EventBytes::pool_free(uint32_t pool, uint64_t address, uint32_t stamp) {
  begin_pool(format::PoolOperation::kFree, pool);
  append_varint(payload_, address);
  end_pool(pool, stamp);
}

void EventBytes::pool_reset(uint32_t pool, uint32_t stamp) {
  begin_pool(format::PoolOperation::kReset, pool);
  end_pool(pool, stamp);
}

void EventBytes::epoch(uint64_t epoch, bool shared) {
  extended(ExtendedOperation::kEpoch);
  append_varint(payload_, epoch);
  append_varint(payload_, shared ? 1 : 0);
  shared_ = shared;
  last_stamps_.clear();
}

void EventBytes::shutdown(bool began) {
  extended(ExtendedOperation::kShutdown);
  append_varint(payload_, began ? 1 : 0);
}

void EventBytes::mark(uint32_t string_id) {
  extended(ExtendedOperation::kMark);
  append_varint(payload_, string_id);
}

}  // namespace memlens::testing
