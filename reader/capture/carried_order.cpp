#include "reader/capture/carried_order.h"

#include "interposer/format/event_codec.h"

namespace memlens::reader {

void CarriedOrder::add_payload(ByteView payload, MemoryBudget& budget) {
  while (!payload.empty()) {
    const uint32_t process = payload.read_varint32();
    budget.spend(sizeof(CarriedEpoch) + 64);
    CarriedEpoch& carried = epochs_[process];
    carried.epoch = payload.read_varint();
    const uint64_t counters = payload.read_varint();
    if (counters != 0 && counters != format::kShardCount)
      throw PayloadError("an order with an impossible number of shards");
    budget.spend(counters * sizeof(uint32_t));
    carried.counters.clear();
    for (uint64_t i = 0; i < counters; ++i) carried.counters.push_back(payload.read_varint32());
    for (uint64_t chunks = payload.read_varint(); chunks > 0; --chunks) {
      const uint32_t thread = payload.read_varint32();
      budget.spend(sizeof(CarriedChunk) + 64);
      CarriedChunk& chunk = chunks_[{process, thread}];
      chunk.sequence = payload.read_varint32();
      chunk.counted_events = payload.read_varint32();
    }
  }
}

const CarriedEpoch* CarriedOrder::epoch_of(uint32_t process) const {
  const auto found = epochs_.find(process);
  return found != epochs_.end() ? &found->second : nullptr;
}

void CarriedOrder::mark(FrameRef& frame) const {
  if (frame.carried) return;
  const auto found = chunks_.find({frame.process, frame.thread});
  if (found != chunks_.end() && found->second.sequence == frame.sequence)
    frame.counted_events = found->second.counted_events;
}

void CarriedOrder::mark(std::vector<EventStream>& streams) const {
  if (chunks_.empty()) return;
  for (EventStream& stream : streams) {
    for (FrameRef& frame : stream.frames) {
      mark(frame);
      if (!frame.carried) break;  // only the first can be one that was begun before
    }
  }
}

}  // namespace memlens::reader
