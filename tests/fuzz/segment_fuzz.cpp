// The second fuzz target: the shared segment as the collector reads it. Any bytes a program may
// leave there, at any moment between two looks, are drained or left out; the collector ends, and
// what it has written is a whole capture. Anything else is a bug: a crash, a hang, a torn file.
//
// An input is steps of ten bytes: what to do, where, and a number. So both a stray write and the
// ordinary life of a chunk are a few bytes long, and a fuzzer makes histories of them.
//
// With clang: cmake -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DMEMLENS_FUZZ=ON, then
//   build-fuzz/bin/memlens_segment_fuzz -max_len=2048 NEW_CORPUS tests/fuzz/segment_cases

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "interposer/collector/chunk_drain.h"
#include "interposer/collector/process_watch.h"
#include "interposer/collector/shared_segment.h"
#include "interposer/platform/clock.h"
#include "tests/support/describe_capture.h"
#include "tests/support/temporary_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace {

using namespace memlens;

enum Step : uint8_t {
  kWrite,      // a number anywhere in the header or the initial chunks
  kWriteWord,  // into a chunk's state word
  kWriteHead,  // into a chunk's header
  kTakeSlot,
  kClaim,
  kDescribe,
  kCommit,
  kHandOver,
  kDrain,
  kDrainDead,
  kSteps,
};

class History {
 public:
  explicit History(int fd)
      : writer_(fd), drain_(segment_, writer_, /*sampled=*/false), watch_(segment_.header()) {
    writer_.write_header(segment_.nonce(), {});
  }

  void step(uint8_t what, uint8_t where, uint64_t number) {
    segment::SegmentHeader* const header = segment_.header();
    const uint32_t chunk = where % segment::kInitialChunks;
    const auto slot = static_cast<uint32_t>(number % 4);
    segment::ChunkHeader* const head = segment_.chunk(chunk);
    switch (what % kSteps) {
      case kWrite: {
        const size_t at =
            (number ^ where * 0x9E3779B97F4A7C15ull) % (segment::initial_bytes() - sizeof number);
        std::memcpy(reinterpret_cast<char*>(header) + at, &number, sizeof number);
        break;
      }
      case kWriteWord:
        header->chunk_words[chunk] = static_cast<uint32_t>(number);
        break;
      case kWriteHead:
        std::memcpy(reinterpret_cast<char*>(head) + number % 56, &number, sizeof number);
        break;
      case kTakeSlot:
        // Of a process that never was: its pid is beyond what there can be.
        header->processes[slot].process = where;
        header->processes[slot].pid = 1 << 30 | where;
        header->processes[slot].birth_ticks = platform::read_ticks();
        header->processes[slot].state = segment::kSlotLive;
        break;
      case kClaim:
        header->chunk_words[chunk] = segment::chunk_word(segment::kOwned, slot);
        break;
      case kDescribe:
        head->kind = static_cast<uint16_t>((number & 8) != 0 ? format::FrameKind::kMetadata
                                                             : format::FrameKind::kEvents);
        head->process = header->processes[slot].process;
        head->thread = head->kind == static_cast<uint16_t>(format::FrameKind::kEvents) ? 1 : 0;
        head->sequence = static_cast<uint32_t>(number >> 4 & 15);
        head->shared_order = 0;
        head->order_epoch = 1;
        head->lost_events = 0;
        head->ticks = platform::read_ticks();
        break;
      case kCommit: {
        const uint32_t at = head->committed % segment::kChunkPayloadBytes;
        if (at + sizeof number > segment::kChunkPayloadBytes) break;
        std::memcpy(reinterpret_cast<char*>(head + 1) + at, &number, sizeof number);
        head->committed = at + static_cast<uint32_t>(where % 9);
        break;
      }
      case kHandOver:
        header->chunk_words[chunk] = segment::chunk_word(segment::kFull, slot);
        break;
      case kDrain:
        drain_.drain();
        break;
      default:
        drain_.drain_dead(slot);
        break;
    }
  }

  void finish() {
    drain_.drain();
    for (const collector::WatchedProcess& process : watch_.finish()) {
      drain_.drain_dead(process.slot);
      watch_.free_slot(process);
    }
    drain_.drain_rest();
    if (writer_.failure() != 0) throw std::runtime_error("the capture could not be written");
  }

 private:
  collector::SharedSegment segment_{0};
  collector::CaptureWriter writer_;
  collector::ChunkDrain drain_;
  collector::ProcessWatch watch_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  constexpr size_t kStepBytes = 10;
  static const testing::TemporaryFile file("");
  file.overwrite("");
  {
    History history(open(file.path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    for (; size_bytes >= kStepBytes; data += kStepBytes, size_bytes -= kStepBytes) {
      uint64_t number;
      std::memcpy(&number, data + 2, sizeof number);
      history.step(data[0], data[1], number);
    }
    history.finish();
  }
  testing::describe_capture(file.path());
  return 0;
}
