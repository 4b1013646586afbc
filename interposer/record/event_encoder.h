// Events to bytes: the mirror of reader/event_decoder. FORMAT.md, "Events".
//
// Replayed alone, 4-7 ns and 1.9-3.7 bytes an event before zstd (a plain varint stream takes 5-6
// bytes, fixed records 20). The dictionary of (node, size, kind) pays because programs repeat
// themselves; coding a free as the distance to a recent allocation pays because blocks die young;
// counting addresses by size class pays because allocators do (format/size_class.h).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "interposer/format/event_codec.h"
#include "interposer/format/primitives.h"

namespace memlens::interposer {

// Trivial on purpose: it lives in zeroed pages. start_chunk() comes before anything else.
// Each encode_* writes at most format::kMaxEventBytes at `out` and returns the end. `stamp` counts
// only in a shared order epoch (`shared`).
class EventEncoder {
 public:
  void start_chunk() {
    codec_.start_chunk();
    last_allocated_ = 0;
    ordinal_ = 0;
    // Of the first chunk it is zero, and pages that are not needed are not touched.
    if (used_) std::memset(recent_, 0, sizeof recent_);
    used_ = true;
  }
  void start_epoch() { codec_.start_epoch(); }

  // Of this chunk's last allocation; 0 before the first.
  uint64_t last_allocated_address() const { return last_allocated_; }

  __attribute__((always_inline)) uint8_t* encode_allocation(uint8_t* out,
                                                            format::AllocationKind kind,
                                                            uint64_t address, uint64_t size_bytes,
                                                            uint32_t node, bool shared,
                                                            uint32_t stamp) {
    using namespace format;
    last_allocated_ = address;
    if (__builtin_expect(!is_plain(address) || size_bytes > kMaxShortSize, 0)) {
      *out++ = extended_tag(ExtendedOperation::kAllocate);
      *out++ = static_cast<uint8_t>(kind);
      out = encode_varint(out, address);
      out = encode_varint(out, size_bytes);
      out = encode_varint(out, node);
      return shared ? encode_explicit_stamp(out, shard_of(address), stamp, 0) : out;
    }
    uint8_t* const tag_at = out++;
    uint8_t tag = static_cast<uint8_t>(Operation::kAllocate);
    const auto size = static_cast<uint32_t>(size_bytes);
    const unsigned slot = dictionary_slot(node, size, kind);
    DictionaryEntry& entry = codec_.dictionary[slot];
    if (entry.node == node && entry.size_bytes == size && entry.kind == kind) {
      tag |= kReferenceHit;
      *out++ = static_cast<uint8_t>(slot);
    } else {
      entry = {node, size, kind};
      *out++ = static_cast<uint8_t>(kind);
      out = encode_varint(out, size);
      out = encode_varint(
          out, zigzag_encode(static_cast<int64_t>(node) - static_cast<int64_t>(codec_.last_node)));
    }
    codec_.last_node = node;

    const uint64_t unit = address >> kPointerShift;
    // Found out again each time: remembered in the entry, it would be one load behind another.
    const uint8_t own_class = size_class(kind, size);
    uint64_t& last = codec_.last_of_class[own_class];
    out = encode_field(out, tag, zigzag_encode(static_cast<int64_t>(unit - last)));
    last = unit;

    recent_[recent_slot(unit)] = live_block(unit) << kLiveShift |
                                 uint64_t{size_class_of_freed(own_class)} << kOrdinalBits |
                                 ++ordinal_;
    if (shared) out = encode_stamp(out, tag, shard_of(address), stamp, 0);
    *tag_at = tag;
    return out;
  }

  __attribute__((always_inline)) uint8_t* encode_free(uint8_t* out, uint64_t address, bool shared,
                                                      uint32_t stamp) {
    using namespace format;
    uint8_t* const tag_at = out++;
    uint8_t tag = static_cast<uint8_t>(Operation::kFree);
    const uint64_t unit = address >> kPointerShift;
    uint64_t& recent = recent_[recent_slot(unit)];
    if (__builtin_expect(!is_plain(address), 0)) {
      *tag_at = extended_tag(ExtendedOperation::kFree);
      out = encode_varint(out, address);
      return shared ? encode_explicit_stamp(out, shard_of(address), stamp, 1) : out;
    }
    if (recent >> kLiveShift == live_block(unit)) {
      tag |= kReferenceHit;
      out = encode_field(out, tag, ordinal_ - (recent & kOrdinalMask));
      codec_.last_of_class[recent >> kOrdinalBits & (kSizeClasses - 1)] = unit;
      recent = 0;
    } else {
      out = encode_field(out, tag, zigzag_encode(static_cast<int64_t>(unit - codec_.last_freed)));
    }
    codec_.last_freed = unit;
    if (shared) out = encode_stamp(out, tag, shard_of(address), stamp, 1);
    *tag_at = tag;
    return out;
  }

  uint8_t* encode_map(uint8_t* out, format::AllocationKind kind, uint64_t address, uint64_t bytes,
                      uint32_t node, bool shared, uint32_t stamp) {
    using namespace format;
    *out++ = extended_tag(ExtendedOperation::kMap);
    *out++ = static_cast<uint8_t>(kind);
    out = encode_varint(out, address);
    out = encode_varint(out, bytes);
    out = encode_varint(out, node);
    return shared ? encode_explicit_stamp(out, kMappingShard, stamp, 0) : out;
  }

  uint8_t* encode_unmap(uint8_t* out, uint64_t address, uint64_t bytes, bool shared,
                        uint32_t stamp) {
    using namespace format;
    *out++ = extended_tag(ExtendedOperation::kUnmap);
    out = encode_varint(out, address);
    out = encode_varint(out, bytes);
    return shared ? encode_explicit_stamp(out, kMappingShard, stamp, 1) : out;
  }

  static uint8_t* encode_epoch(uint8_t* out, uint64_t epoch, bool shared) {
    *out++ = extended_tag(format::ExtendedOperation::kEpoch);
    out = format::encode_varint(out, epoch);
    return format::encode_varint(out, shared ? 1 : 0);
  }

  static uint8_t* encode_time(uint8_t* out, uint64_t ticks_passed) {
    *out++ = extended_tag(format::ExtendedOperation::kTime);
    return format::encode_varint(out, ticks_passed);
  }

  static uint8_t* encode_undo(uint8_t* out) {
    *out++ = extended_tag(format::ExtendedOperation::kUndo);
    return out;
  }

  static uint8_t* encode_shutdown(uint8_t* out, bool began) {
    *out++ = extended_tag(format::ExtendedOperation::kShutdown);
    return format::encode_varint(out, began ? 1 : 0);
  }

  static uint8_t* encode_mark(uint8_t* out, uint32_t string_id) {
    *out++ = extended_tag(format::ExtendedOperation::kMark);
    return format::encode_varint(out, string_id);
  }

  // With the event that follows still within kMaxEventBytes.
  static uint8_t* encode_interval(uint8_t* out, uint64_t interval_bytes) {
    *out++ = extended_tag(format::ExtendedOperation::kInterval);
    return format::encode_varint(out, interval_bytes);
  }

  static uint8_t* encode_outlived(uint8_t* out) {
    *out++ = extended_tag(format::ExtendedOperation::kOutlived);
    return out;
  }

  uint8_t* encode_pool_allocation(uint8_t* out, uint32_t pool, format::AllocationKind kind,
                                  uint64_t address, uint64_t size_bytes, uint32_t node, bool shared,
                                  uint32_t stamp) {
    out = start_pool_event(out, format::PoolOperation::kAllocate, pool);
    *out++ = static_cast<uint8_t>(kind);
    out = format::encode_varint(out, address);
    out = format::encode_varint(out, size_bytes);
    out = format::encode_varint(out, node);
    return end_pool_event(out, pool, shared, stamp);
  }

  uint8_t* encode_pool_free(uint8_t* out, uint32_t pool, uint64_t address, bool shared,
                            uint32_t stamp) {
    out = start_pool_event(out, format::PoolOperation::kFree, pool);
    out = format::encode_varint(out, address);
    return end_pool_event(out, pool, shared, stamp);
  }

  uint8_t* encode_pool_reset(uint8_t* out, uint32_t pool, bool shared, uint32_t stamp) {
    out = start_pool_event(out, format::PoolOperation::kReset, pool);
    return end_pool_event(out, pool, shared, stamp);
  }

 private:
  // Which recent allocation of this chunk has an address. An entry is the upper 33 bits of
  // address / 16 (its place in the table tells the others) and a one; the class in which the block,
  // once freed, is expected again; the allocation's ordinal in the chunk, from 1. 0: none. 16 kB,
  // to stay in the first-level cache: with 4096 entries of 16 bytes a third of this encoder's time
  // went into missing it.
  static constexpr unsigned kRecentBits = 11;
  static constexpr unsigned kRecentEntries = 1u << kRecentBits;
  static constexpr unsigned kLiveShift = 64 - (format::kUnitBits - kRecentBits + 1);
  static constexpr unsigned kOrdinalBits = kLiveShift - 7;  // a chunk has far fewer events
  static constexpr uint64_t kOrdinalMask = (1u << kOrdinalBits) - 1;
  static_assert(format::kSizeClasses == 1u << 7);

  // 16-byte aligned and below 2^48, as ordinary blocks are: fits an entry and the short forms. One
  // rotation tests both.
  static constexpr bool is_plain(uint64_t address) {
    return std::rotr(address, format::kPointerShift) >> format::kUnitBits == 0;
  }

  static constexpr unsigned recent_slot(uint64_t unit) {
    return static_cast<unsigned>(unit ^ unit >> kRecentBits) & (kRecentEntries - 1);
  }
  static constexpr uint64_t live_block(uint64_t unit) { return unit >> kRecentBits << 1 | 1; }

  static constexpr uint8_t extended_tag(format::ExtendedOperation operation) {
    return static_cast<uint8_t>(
        static_cast<uint8_t>(format::Operation::kExtended) |
        static_cast<uint8_t>(static_cast<uint8_t>(operation) << format::kFieldShift));
  }

  static uint8_t* start_pool_event(uint8_t* out, format::PoolOperation operation, uint32_t pool) {
    *out++ = extended_tag(format::ExtendedOperation::kPool);
    *out++ = static_cast<uint8_t>(operation);
    return format::encode_varint(out, pool);
  }
  uint8_t* end_pool_event(uint8_t* out, uint32_t pool, bool shared, uint32_t stamp) {
    return shared ? encode_explicit_stamp(out, format::shard_of_pool(pool), stamp, 1) : out;
  }

  // Small values ride in the tag, others follow as a varint.
  static uint8_t* encode_field(uint8_t* out, uint8_t& tag, uint64_t value) {
    if (value < format::kFieldCount) {
      tag |= static_cast<uint8_t>((value + 1) << format::kFieldShift);
      return out;
    }
    return format::encode_varint(out, value);
  }

  uint8_t* encode_stamp(uint8_t* out, uint8_t& tag, unsigned shard, uint32_t stamp, uint32_t step) {
    const uint32_t delta = stamp - codec_.stamps[shard];
    codec_.stamps[shard] = stamp + step;
    if (delta == 0) return out;
    tag |= format::kStamped;
    return format::encode_varint(out, delta);
  }

  uint8_t* encode_explicit_stamp(uint8_t* out, unsigned shard, uint32_t stamp, uint32_t step) {
    const uint32_t delta = stamp - codec_.stamps[shard];
    codec_.stamps[shard] = stamp + step;
    return format::encode_varint(out, delta);
  }

  format::ChunkCodecState codec_;
  uint64_t last_allocated_;
  uint32_t ordinal_;  // allocations in this chunk's list so far
  bool used_;         // by a chunk
  uint64_t recent_[kRecentEntries];
};

}  // namespace memlens::interposer
