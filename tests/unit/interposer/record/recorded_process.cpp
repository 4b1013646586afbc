#include "recorded_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "interposer/platform/clock.h"
#include "interposer/record/enrolment.h"
#include "interposer/record/order.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/attach_segment.h"
#include "interposer/session/chunk_producer.h"
#include "interposer/session/process.h"
#include "interposer/session/upcalls.h"

namespace memlens::testing {
namespace {

using namespace memlens::interposer;

// What lifecycle/ does of this, without a gate and without looking at libraries.
bool continue_as_forked_child() {
  forget_parents_threads();
  session_stays.store(1);  // the caller's
  process.parent_index = process.index;
  session_state.store(SessionState::kJoining);
  forget_what_was_recorded();
  if (!enrol(process.segment, format::ProcessOrigin::kFork)) return false;
  session_state.store(SessionState::kRecording);
  return true;
}

collector::Moment moment_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  collector::Moment moment;
  moment.ticks = platform::read_ticks();
  moment.monotonic_ns = static_cast<uint64_t>(platform::monotonic_ns());
  moment.unix_ns =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return moment;
}

bool join(segment::SegmentHeader* header, format::ProcessOrigin origin) {
  upcalls.continue_as_forked_child = continue_as_forked_child;
  start_thread_states();
  session_state.store(SessionState::kJoining);
  if (!enrol(header, origin)) return false;
  attention.fetch_and(~static_cast<uint32_t>(kAttentionOver));
  session_state.store(SessionState::kRecording);
  return true;
}

// Never unmapped, like a segment in a program.
collector::SharedSegment& make_segment(uint32_t options) {
  static auto& segments = *new std::vector<std::unique_ptr<collector::SharedSegment>>;
  return *segments.emplace_back(std::make_unique<collector::SharedSegment>(options));
}

}  // namespace

RecordedProcess::RecordedProcess(uint32_t options)
    : fd_(memfd_create("capture", MFD_CLOEXEC)),
      segment_(make_segment(options)),
      writer_(dup(fd_)),
      drain_(segment_, writer_) {
  writer_.write_header(segment_.nonce(), moment_now());
  if (process.segment != nullptr) {
    retire_thread_states();
    forget_what_was_recorded();
  }
  start_chunk_windows(header());
  process.parent_index = 0;
  if (!join(header(), format::ProcessOrigin::kStart)) throw std::runtime_error("cannot join");
}

RecordedProcess::~RecordedProcess() {
  session_state.store(SessionState::kLoaded);
  close(fd_);
}

void RecordedProcess::drain_dead(uint32_t process_index) {
  for (uint32_t slot = 0; slot < segment::kMaxProcesses; ++slot) {
    segment::ProcessSlot& candidate = header()->processes[slot];
    if (candidate.state == segment::kSlotLive && candidate.process == process_index) {
      drain_.drain_dead(slot);
      candidate.state = segment::kSlotFree;
    }
  }
}

const reader::Capture& RecordedProcess::finish() {
  if (capture_ == nullptr) {
    session_state.store(SessionState::kLoaded);
    drain_.drain();
    drain_.drain_rest();
    REQUIRE(drain_.damaged_chunks() == 0);
    capture_ = std::make_unique<reader::Capture>(
        reader::Capture::open("/proc/self/fd/" + std::to_string(fd_)));
  }
  return *capture_;
}

reader::Totals RecordedProcess::totals() {
  const reader::Analysis analysis = reader::analyze(finish(), {});
  CHECK(analysis.left_out.empty());
  return analysis.totals;
}

reader::Totals RecordedProcess::totals_of(uint32_t process_index) {
  for (const reader::ProcessInfo& info : finish().info().processes) {
    if (info.index != process_index) continue;
    reader::Totals sum;
    for (const reader::Site& site : reader::analyze(finish(), {}).sites) {
      if (site.process_index != process_index) continue;
      sum.allocations += site.allocated.blocks;
      sum.allocated_bytes += site.allocated.bytes;
      sum.leaked_blocks += site.leaked.blocks;
      sum.leaked_bytes += site.leaked.bytes;
    }
    return sum;
  }
  FAIL("no such process: ", process_index);
  return {};
}

bool join_as_new_image(std::string description) {
  bool announced = false;
  segment::SegmentHeader* header = attach_segment(description.data(), announced);
  return header != nullptr && join(header, format::ProcessOrigin::kExec);
}

}  // namespace memlens::testing
