#include "interposer/process.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "interposer/definitions.h"
#include "interposer/diagnostics.h"
#include "interposer/hooks/exec_environment.h"
#include "interposer/modules.h"
#include "interposer/order.h"
#include "interposer/platform/clock.h"
#include "interposer/private_memory.h"
#include "interposer/process_registration.h"
#include "interposer/reentrancy.h"
#include "interposer/sampler.h"
#include "interposer/segment/futex.h"
#include "interposer/session.h"
#include "interposer/system_call.h"
#include "interposer/thread_state.h"

extern char** environ;

namespace memlens::interposer {

Process process;
std::atomic<uint32_t> attention{0};

namespace {

enum class Join : uint8_t { kNotTried, kTrying, kDone };
std::atomic<Join> join{Join::kNotTried};

constexpr unsigned kMaxForkResets = 16;
void (*fork_resets[kMaxForkResets])();
unsigned fork_reset_count = 0;

char* environment_value(const char* name) {
  const size_t length = std::strlen(name);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
      return *entry + length + 1;
    }
  }
  return nullptr;
}

// Everything that makes a process image a recorded process. `segment` is mapped.
bool begin(segment::SegmentHeader* segment, format::ProcessOrigin origin) {
  uint32_t slot = 0, index = 0;
  if (!order::start() || !claim_process_slot(segment, slot, index)) return false;
  process.segment = segment;
  process.slot = slot;
  process.index = index;
  process.over = false;
  count_skipped_calls_in(&own_slot().skipped_calls);
  sampler::start();
  describe_process(origin);
  describe_inherited_modules();
  return true;
}

// Only the first process is recorded, and this is another, started with our entries in its
// environment by one that could not take them out (system, popen).
bool left_out(const segment::SegmentHeader* segment, bool by_exec) {
  return (segment->options & segment::kOptionFollow) == 0 && !by_exec &&
         segment->next_process.load() > segment::kFirstProcess;
}

}  // namespace

bool join_session() {
  if (join.load(std::memory_order_acquire) != Join::kNotTried) return recording();
  // ld.so calls malloc before libc has set up the environment: try again at a later call.
  if (environ == nullptr) return false;
  Join expected = Join::kNotTried;
  if (!join.compare_exchange_strong(expected, Join::kTrying)) return false;
  const int saved_errno = errno;
  bool announced = false;
  char* description = environment_value(segment::kSessionVariable);
  segment::SegmentHeader* segment =
      description == nullptr ? start_own_collector() : attach_segment(description, announced);
  bool joined = false;
  if (segment != nullptr) {
    const bool by_exec = announced || process_is_known(segment, system_call::process_id());
    if (left_out(segment, by_exec)) {
      detach_segment(segment);
      remove_entries_in_place(environ);
      join.store(Join::kDone, std::memory_order_release);
      errno = saved_errno;
      return false;
    }
    start_thread_states();
    joined = begin(segment, by_exec ? format::ProcessOrigin::kExec : format::ProcessOrigin::kStart);
    if (announced) segment->births_arrived.fetch_add(1);
  } else if (description != nullptr) {
    report_line(Line()
                    .text(attach_found_no_address_space()
                              ? "no address space for the recording's shared memory (a limit on "
                                "it: ulimit -v, RLIMIT_AS); process "
                              : "cannot reach the recording session of this run; process ")
                    .number(static_cast<uint64_t>(system_call::process_id()))
                    .text(" is not recorded"));
  }
  join.store(Join::kDone, std::memory_order_release);
  errno = saved_errno;
  return joined;
}

bool continue_as_forked_child() {
  segment::SegmentHeader* segment = process.segment;
  if (segment == nullptr || process.over) return false;
  if ((segment->options & segment::kOptionFollow) == 0) {
    stop_recording_silently();
    return false;
  }
  const int saved_errno = errno;
  process.parent_index = process.index;
  drop_thread_states();
  drop_definitions();
  for (unsigned i = 0; i < fork_reset_count; ++i) fork_resets[i]();
  drop_permanent_memory();
  const bool begun = begin(segment, format::ProcessOrigin::kFork);
  if (!begun) stop_recording_silently();
  errno = saved_errno;
  return begun;
}

void announce_birth() {
  if (recording()) process.segment->births_announced.fetch_add(1);
}

void withdraw_birth() {
  if (recording()) process.segment->births_arrived.fetch_add(1);
}

void forked_child_started(bool announced) {
  segment::SegmentHeader* segment = process.segment;
  if (segment == nullptr) return;
  if (order::load() == 0) continue_as_forked_child();
  if (announced) segment->births_arrived.fetch_add(1);
}

void stop_recording(const char* reason) {
  attention.fetch_or(kAttentionOver);
  if (__atomic_exchange_n(&process.over, true, __ATOMIC_ACQ_REL)) return;
  report_line(Line().text("recording stopped: ").text(reason).text("; the program runs on"));
}

void stop_recording_silently() {
  attention.fetch_or(kAttentionOver);
  __atomic_store_n(&process.over, true, __ATOMIC_RELEASE);
}

void at_forked_child(void (*reset)()) {
  if (fork_reset_count < kMaxForkResets) fork_resets[fork_reset_count++] = reset;
}

}  // namespace memlens::interposer
