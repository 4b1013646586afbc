#include "reader/events/event_decoder.h"

#include <string>

#include "interposer/format/primitives.h"
#include "reader/file/byte_view.h"

namespace memlens::reader {

using format::DictionaryEntry;
using format::ExtendedOperation;
using format::Operation;

// The longest record any bytes can make here: tag, operation, kind, five varints. The zeros behind
// the payload end every varint, so a record is read without looking at the end, and the end is
// checked after it.
static_assert(3 + 5 * format::kMaxVarintBytes <= PayloadBuffer::kPaddingBytes);

// Of a size class in allocations_.
constexpr unsigned kClassBits = 8;
static_assert(format::kSizeClasses <= 1u << kClassBits && format::kUnitBits + kClassBits <= 64);

void EventDecoder::fail(const char* reason) const {
  throw PayloadError(std::string(reason) + " (event at byte " + std::to_string(next_ - begin_) +
                     " of the payload)");
}

void EventDecoder::start(const PayloadBuffer& payload, const FrameRef& frame) {
  begin_ = next_ = payload.data();
  end_ = begin_ + payload.size_bytes();
  ticks_ = frame.ticks;
  shared_ = frame.shared_order();
  coding_ = frame.event_coding();
  allocations_.clear();
  codec_.start_chunk();
  stacks_.start_chunk();
}

inline uint64_t EventDecoder::read_varint() {
  uint64_t value = *next_++;
  if (value < 0x80) return value;
  value &= 0x7f;
  for (unsigned shift = 7; shift < 70; shift += 7) {
    const uint8_t byte = *next_++;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number is too long");
}

inline uint32_t EventDecoder::read_varint32() {
  const uint64_t value = read_varint();
  if (value > UINT32_MAX) fail("a number is out of range");
  return static_cast<uint32_t>(value);
}

inline uint64_t EventDecoder::read_field(uint8_t tag) {
  const unsigned field = tag >> format::kFieldShift;
  return field > 0 ? field - 1 : read_varint();
}

// Stamps wrap at 32 bits, like the counters they are copies of.
inline uint32_t EventDecoder::read_stamp_delta() { return static_cast<uint32_t>(read_varint()); }

inline uint32_t EventDecoder::pass_stamp(unsigned shard, uint32_t delta, uint32_t step) {
  uint32_t& last = codec_.stamps[shard];
  const uint32_t stamp = last + delta;
  last = stamp + step;
  return stamp;
}

size_t EventDecoder::decode(Event* out, size_t capacity) {
  size_t count = 0;
  while (count < capacity && next_ < end_) {
    Event& event = out[count];
    const uint8_t tag = *next_++;
    const bool hit = (tag & format::kReferenceHit) != 0;
    switch (static_cast<Operation>(tag & format::kOperationMask)) {
      case Operation::kAllocate: {
        if (hit) {
          const uint8_t slot = *next_++;
          const DictionaryEntry& entry = codec_.dictionary[slot];
          if (entry.node == format::kNoNode) fail("an allocation refers to an empty slot");
          event.type = EventType::kAllocateKnown;
          event.node = entry.node;
          event.size_bytes = entry.size_bytes;
          event.kind = entry.kind;
          event.stack = slot_stacks_[slot];
        } else {
          event.kind = static_cast<format::AllocationKind>(*next_++);
          const uint32_t size_bytes = read_varint32();
          // Unsigned arithmetic: no delta can overflow; what is out of range is found below.
          const uint64_t node =
              codec_.last_node + static_cast<uint64_t>(format::zigzag_decode(read_varint()));
          if (node >= format::kNoNode) fail("an allocation names an impossible stack");
          event.node = static_cast<uint32_t>(node);
          event.size_bytes = size_bytes;
          const unsigned slot = format::dictionary_slot(event.node, size_bytes, event.kind);
          codec_.dictionary[slot] = {event.node, size_bytes, event.kind};
          const uint32_t stacks_before = stacks_.count();
          event.stack = slot_stacks_[slot] = stacks_.find_or_add(event.node, event.kind);
          event.type =
              event.stack == stacks_before ? EventType::kAllocate : EventType::kAllocateKnown;
        }
        codec_.last_node = event.node;
        // Formerly all blocks were of one class.
        const uint8_t size_class =
            coding_ == format::EventCoding::kByClass
                ? format::size_class(event.kind, static_cast<uint32_t>(event.size_bytes))
                : format::kFirstMallocClass;
        uint64_t& unit = codec_.last_of_class[size_class];
        unit += static_cast<uint64_t>(format::zigzag_decode(read_field(tag)));
        if (unit >> format::kUnitBits != 0) fail("an allocation at an impossible address");
        event.address = unit << format::kPointerShift;
        allocations_.push_back(unit << kClassBits | format::size_class_of_freed(size_class));
        if (shared_) {
          const uint32_t delta = (tag & format::kStamped) != 0 ? read_stamp_delta() : 0;
          event.stamp = pass_stamp(format::shard_of(event.address), delta, 0);
        } else if ((tag & format::kStamped) != 0) {
          fail("an allocation has a stamp outside a shared epoch");
        }
        if (event.address == 0) fail("an allocation at address 0");
        break;
      }
      case Operation::kFree: {
        const uint64_t field = read_field(tag);
        if (hit) {
          if (field >= allocations_.size()) fail("a free refers to no allocation of the chunk");
          const uint64_t allocation = allocations_[allocations_.size() - 1 - field];
          codec_.last_freed = allocation >> kClassBits;
          codec_.last_of_class[allocation & (format::kSizeClasses - 1)] = codec_.last_freed;
        } else {
          codec_.last_freed += static_cast<uint64_t>(format::zigzag_decode(field));
        }
        event.address = codec_.last_freed << format::kPointerShift;
        event.type = EventType::kFree;
        if (shared_) {
          const uint32_t delta = (tag & format::kStamped) != 0 ? read_stamp_delta() : 0;
          event.stamp = pass_stamp(format::shard_of(event.address), delta, 1);
        } else if ((tag & format::kStamped) != 0) {
          fail("a free has a stamp outside a shared epoch");
        }
        break;
      }
      case Operation::kExtended:
        decode_extended(static_cast<ExtendedOperation>(tag >> format::kFieldShift), event);
        break;
      default:
        fail("an operation no version has");
    }
    if (__builtin_expect(next_ > end_, 0)) throw PayloadError("the last event is cut short");
    ++count;
  }
  return count;
}

void EventDecoder::decode_extended(ExtendedOperation operation, Event& event) {
  event.address = event.size_bytes = 0;
  event.node = event.stamp = event.stack = 0;
  event.kind = {};
  switch (operation) {
    case ExtendedOperation::kEpoch:
      event.type = EventType::kEpoch;
      event.address = read_varint();
      event.size_bytes = read_varint();
      if (event.size_bytes > 1) fail("an epoch is neither owned nor shared");
      shared_ = event.size_bytes == 1;
      codec_.start_epoch();
      break;
    case ExtendedOperation::kTime:
      event.type = EventType::kTime;
      ticks_ += read_varint();
      event.address = ticks_;
      break;
    case ExtendedOperation::kAllocate:
    case ExtendedOperation::kMap: {
      const bool map = operation == ExtendedOperation::kMap;
      event.type = map ? EventType::kMap : EventType::kAllocateWide;
      event.kind = static_cast<format::AllocationKind>(*next_++);
      event.address = read_varint();
      event.size_bytes = read_varint();
      event.node = read_varint32();
      if (event.node == format::kNoNode) fail("an allocation names an impossible stack");
      const unsigned shard = map ? format::kMappingShard : format::shard_of(event.address);
      if (shared_) event.stamp = pass_stamp(shard, read_stamp_delta(), 0);
      if (event.address == 0 && !map) fail("an allocation at address 0");
      break;
    }
    case ExtendedOperation::kFree:
      event.type = EventType::kFree;
      event.address = read_varint();
      if (shared_) event.stamp = pass_stamp(format::shard_of(event.address), read_stamp_delta(), 1);
      break;
    case ExtendedOperation::kUnmap:
      event.type = EventType::kUnmap;
      event.address = read_varint();
      event.size_bytes = read_varint();
      if (shared_) event.stamp = pass_stamp(format::kMappingShard, read_stamp_delta(), 1);
      break;
    case ExtendedOperation::kUndo:
      event.type = EventType::kUndo;
      break;
    case ExtendedOperation::kShutdown:
      event.type = EventType::kShutdown;
      event.size_bytes = read_varint();
      break;
    case ExtendedOperation::kMark:
      event.type = EventType::kMark;
      event.node = read_varint32();
      break;
    case ExtendedOperation::kInterval:
      event.type = EventType::kInterval;
      event.size_bytes = read_varint();
      if (event.size_bytes == 0) fail("a sampling interval of no bytes");
      break;
    case ExtendedOperation::kOutlived:
      event.type = EventType::kOutlived;
      break;
    case ExtendedOperation::kPool:
      decode_pool_event(event);
      break;
    default:
      fail("an operation no version has");
  }
  // Sizes beyond this cannot be, and would overflow what is summed over them.
  constexpr uint64_t kMaxSizeBytes = uint64_t{1} << 55;
  if (event.size_bytes > kMaxSizeBytes) fail("a block of impossible size");
  if (event.address + event.size_bytes < event.address && event.type != EventType::kEpoch &&
      event.type != EventType::kTime)
    fail("a block beyond the address space");
}

void EventDecoder::decode_pool_event(Event& event) {
  const auto operation = static_cast<format::PoolOperation>(*next_++);
  event.stack = read_varint32();
  switch (operation) {
    case format::PoolOperation::kAllocate:
      event.type = EventType::kPoolAllocate;
      event.kind = static_cast<format::AllocationKind>(*next_++);
      event.address = read_varint();
      event.size_bytes = read_varint();
      event.node = read_varint32();
      if (event.node == format::kNoNode) fail("an allocation names an impossible stack");
      if (event.address == 0) fail("an allocation at address 0");
      break;
    case format::PoolOperation::kFree:
      event.type = EventType::kPoolFree;
      event.address = read_varint();
      break;
    case format::PoolOperation::kReset:
      event.type = EventType::kPoolReset;
      break;
    default:
      fail("an operation on a pool that no version has");
  }
  if (shared_) event.stamp = pass_stamp(format::shard_of_pool(event.stack), read_stamp_delta(), 1);
}

}  // namespace memlens::reader
