#include "reader/events/sound_streams.h"

#include <optional>
#include <string>
#include <utility>

#include "reader/events/event.h"
#include "reader/events/event_decoder.h"
#include "reader/file/frame_payload.h"

namespace memlens::reader {

namespace {

class Checker {
 public:
  Checker(const Source& source, uint64_t last_ticks) : loader_(source), last_ticks_(last_ticks) {}

  // Why the chunk makes no sense; nothing: it does, and ends in order epoch `last_epoch`.
  std::optional<std::string> check(const FrameRef& frame, uint64_t& last_epoch) {
    loader_.load(frame, payload_);
    last_epoch = frame.order_epoch;
    if (frame.ticks > last_ticks_) return "it is later than the recording's end";
    Event events[kBatch];
    try {
      decoder_.start(payload_, frame);
      while (const size_t count = decoder_.decode(events, kBatch)) {
        for (size_t i = 0; i < count; ++i) {
          const Event& event = events[i];
          if (event.type == EventType::kTime && event.address > last_ticks_)
            return "an event later than the recording's end";
          if (event.type != EventType::kEpoch) continue;
          if (event.address < last_epoch) return "the order epochs of a thread go backwards";
          last_epoch = event.address;
        }
      }
    } catch (const PayloadError& error) {
      return error.what();
    }
    return {};
  }

 private:
  static constexpr size_t kBatch = 256;

  PayloadLoader loader_;
  PayloadBuffer payload_;
  EventDecoder decoder_;
  uint64_t last_ticks_;
};

}  // namespace

SoundStreams find_sound_streams(const Source& source, const std::vector<EventStream>& streams,
                                uint64_t last_ticks) {
  SoundStreams result;
  LeftOutList left_out;
  Checker checker(source, last_ticks);
  for (const EventStream& stream : streams) {
    const auto leave_out = [&](const FrameRef& frame, std::string_view reason) {
      left_out.add(LeftOutKind::kEvents, stream.process, stream.thread, frame.offset, reason);
    };
    EventStream sound = stream;
    sound.frames.clear();
    std::vector<uint64_t> last_epochs;  // of sound.frames
    for (size_t i = 0; i < stream.frames.size(); ++i) {
      const FrameRef& frame = stream.frames[i];
      uint64_t last_epoch = 0;
      if (const auto reason = checker.check(frame, last_epoch)) {
        leave_out(frame, *reason);
        continue;
      }
      constexpr const char* kBackwards = "the order epochs of a thread go backwards";
      // Of two chunks that contradict each other, the one that the next chunk contradicts as well.
      const uint64_t next_epoch =
          i + 1 < stream.frames.size() ? stream.frames[i + 1].order_epoch : UINT64_MAX;
      while (!last_epochs.empty() && frame.order_epoch < last_epochs.back() &&
             next_epoch < last_epochs.back()) {
        leave_out(sound.frames.back(), kBackwards);
        sound.frames.pop_back();
        last_epochs.pop_back();
      }
      if (!last_epochs.empty() && frame.order_epoch < last_epochs.back()) {
        leave_out(frame, kBackwards);
        continue;
      }
      sound.frames.push_back(frame);
      last_epochs.push_back(last_epoch);
    }
    result.streams.push_back(std::move(sound));
  }
  result.left_out = left_out.take();
  return result;
}

}  // namespace memlens::reader
