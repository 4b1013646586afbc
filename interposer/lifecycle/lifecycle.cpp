#include "interposer/lifecycle/lifecycle.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/definitions/process_registration.h"
#include "interposer/exec/exec_environment.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/guest/environment.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/lifecycle/late_loading.h"
#include "interposer/lifecycle/surroundings.h"
#include "interposer/loader/fork_hold.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_definition.h"
#include "interposer/platform/futex.h"
#include "interposer/platform/system_call.h"
#include "interposer/platform/thread_calls.h"
#include "interposer/program/allocator_module.h"
#include "interposer/program/hidden_jemalloc.h"
#include "interposer/program/modules.h"
#include "interposer/program/python/attach.h"
#include "interposer/record/enrolment.h"
#include "interposer/record/mark_signal.h"
#include "interposer/record/order.h"
#include "interposer/record/thread_state.h"
#include "interposer/segment/collector_life.h"
#include "interposer/session/attach_segment.h"
#include "interposer/session/ending.h"
#include "interposer/session/gate.h"
#include "interposer/session/process.h"
#include "interposer/session/process_end.h"
#include "interposer/session/upcalls.h"

namespace memlens::interposer {

namespace {

using segment::GateRequest;

enum class FirstLook : uint8_t { kNotTaken, kTaking, kTaken };
std::atomic<FirstLook> first_look{FirstLook::kNotTaken};

bool begin(segment::SegmentHeader* segment, format::ProcessOrigin origin) {
  if (!enrol(segment, origin)) return false;
  describe_known_modules();
  take_mark_signal();
  return true;
}

// The last step of joining, and the only one that others see.
void publish_recording() {
  session_state.store(SessionState::kRecording);
  attention.fetch_and(~static_cast<uint32_t>(kAttentionOver | kAttentionHooks));
  attention_has_changed();
}

void give_up_joining() {
  attention.fetch_or(kAttentionOver);
  session_state.store(SessionState::kLoaded);
  late_loading::take_hooks_out();
  attention_has_changed();
}

// Only the first process is recorded, and this is another, started with our entries in its
// environment by one that could not take them out (system, popen).
bool left_out(const segment::SegmentHeader* segment, bool by_exec) {
  return (segment->options & segment::kOptionFollow) == 0 && !by_exec &&
         segment->next_process.load() > segment::kFirstProcess;
}

bool dormant_by_environment() {
  const char* value = environment_value(segment::kDormantVariable);
  return value != nullptr && *value != '\0' && std::strcmp(value, "0") != 0;
}

// Loaded, and open to who asks. The order word is made now: it is how a forked child is told.
void become_dormant() {
  attention.fetch_or(kAttentionOver);
  session_state.store(SessionState::kLoaded);
  if (!order::start() || !open_gate()) {
    report_line(Line()
                    .text("cannot wait to be attached to (no memfd to be had); process ")
                    .number(static_cast<uint64_t>(system_call::process_id()))
                    .text(" runs unrecorded"));
  }
  attention_has_changed();
}

void tell_session_out_of_reach() {
  report_line(Line()
                  .text(attach_found_no_address_space()
                            ? "no address space for the recording's shared memory (a limit on "
                              "it: ulimit -v, RLIMIT_AS); process "
                            : "cannot reach the recording session of this run; process ")
                  .number(static_cast<uint64_t>(system_call::process_id()))
                  .text(" is not recorded"));
}

// The process's first look at its environment.
bool look_for_session() {
  bool announced = false;
  char* description = environment_value(segment::kSessionVariable);
  const bool dormant = dormant_by_environment();
  segment::SegmentHeader* segment = nullptr;
  if (description != nullptr) {
    segment = attach_segment(description, announced);
  } else if (!dormant) {
    segment = start_own_collector();
  }
  if (segment == nullptr) {
    if (dormant) {
      become_dormant();
    } else {
      if (description != nullptr && session_may_be_over()) {
        remove_entries_in_place(environ);
      } else if (description != nullptr) {
        tell_session_out_of_reach();
      }
      give_up_joining();
    }
    return false;
  }
  const bool by_exec = announced || process_is_known(segment, system_call::process_id());
  if (left_out(segment, by_exec)) {
    detach_segment(segment);
    remove_entries_in_place(environ);
    give_up_joining();
    return false;
  }
  start_thread_states();
  const bool joined =
      begin(segment, by_exec ? format::ProcessOrigin::kExec : format::ProcessOrigin::kStart);
  if (announced) segment->births_arrived.fetch_add(1);
  if (joined) {
    publish_recording();
    if (dormant) open_gate();
  } else {
    give_up_joining();
  }
  return joined;
}

// ---- ending

bool session_is_over() {
  return segment::collector_is_dead(process.segment) ||
         process.segment->stop.load(std::memory_order_relaxed) != 0;
}

// From here on no other thread is inside the last session, or false after a moment.
bool everybody_has_left() {
  constexpr int kRounds = 200;
  constexpr int64_t kRoundNs = 1'000'000;
  // Where the kernel refuses, a moment's wait does it: store buffers are not kept for milliseconds.
  if (!system_call::make_all_threads_see()) platform::pause_for(5'000'000);
  for (int i = 0; i < kRounds; ++i) {
    if (session_stays.load() == 0 && threads_have_left_session()) return true;
    platform::pause_for(kRoundNs);
  }
  return false;
}

// ---- being woken

void answer(GateRequest result, const char* text) {
  const size_t bytes = strnlen(text, sizeof gate.answer - 1);
  std::memcpy(gate.answer, text, bytes);
  gate.answer[bytes] = '\0';
  gate.request.store(result, std::memory_order_release);
}

// What is wrong stands in the capture; stderr is the program's, and nobody there has asked.
void look_at_program() {
  scan_modules_while_joining();
  if (loaded_late()) late_loading::put_bundled_hooks_back();
  report_unseen_allocator(false);
  python_attach_while_joining();
}

// The session that is described at the gate. State: joining.
void join_as_asked() {
  if (process.segment != nullptr && !everybody_has_left()) {
    session_state.store(SessionState::kLeaving);
    return answer(GateRequest::kBusy, "threads of the last recording are still inside");
  }
  if (loaded_late() && !late_loading::put_hooks_in()) {
    give_up_joining();
    return answer(GateRequest::kBusy, "its libraries are being unloaded all the time");
  }
  bool announced = false;
  char description[segment::kGateTextBytes + sizeof segment::kAttachedSuffix];
  std::memcpy(description, gate.description, segment::kGateTextBytes);
  description[segment::kGateTextBytes - 1] = '\0';
  std::strcat(description, segment::kAttachedSuffix);
  segment::SegmentHeader* segment = attach_segment(description, announced);
  if (segment == nullptr) {
    give_up_joining();
    return answer(GateRequest::kRefused,
                  attach_found_no_address_space()
                      ? "it has no address space left for the recording's shared memory (ulimit -v)"
                      : "it cannot reach the recording's shared memory: it lives in other "
                        "namespaces; run memlens attach inside its container");
  }
  retire_thread_states();
  forget_what_was_recorded();
  process.parent_index = 0;
  start_thread_states();
  if (!begin(segment, format::ProcessOrigin::kStart)) {
    give_up_joining();
    return answer(GateRequest::kRefused, "the recording has no room for another process");
  }
  if (loaded_late()) {
    with_loader_stopped([](void*) { look_at_program(); }, nullptr);
    expect_module_change();  // and in the next second again
  } else {
    look_at_program();
  }
  publish_recording();
  answer(GateRequest::kJoined, "");
}

void become_a_child() {
  forget_parents_threads();
  // Apart from its parent's.
  if (gate_is_open()) open_gate();
}

// Nothing is recorded in this forked child, and it is to be woken on its own.
void become_loaded_child() {
  become_a_child();
  forget_what_was_recorded();
  order::start();
  inherit_modules();
  attention.fetch_or(kAttentionOver);
  session_state.store(SessionState::kLoaded);
  late_loading::take_hooks_out();
  attention_has_changed();
}

enum class Asker : uint8_t {
  kHook,       // which must not wait, nor take the loader's lock
  kOwnThread,  // whoever called memlens_wake
};

// Precondition: the gate is open.
void answer_at_gate_of(Asker asker) {
  if (order::load() == 0) {
    // A child of a raw fork; what is asked at the gate is asked of its parent.
    if (!order::claim_forked_child()) return;
    if (recording()) {
      SessionStay stay;
      continue_as_forked_child();
    } else {
      become_loaded_child();
    }
  } else if (gate.pid == system_call::process_id()) {  // not: a child of vfork
    if (recording() && session_is_over()) stop_recording_silently();
    SessionState expected = session_state.load();
    GateRequest asked = GateRequest::kAsked;
    if (expected == SessionState::kRecording) {
      if (gate.request.compare_exchange_strong(asked, GateRequest::kTaken)) {
        answer(GateRequest::kRefused, "it is being recorded already");
      }
      attention_has_changed();
    } else if (expected != SessionState::kJoining) {
      if (asker == Asker::kHook && loaded_late()) {
        // A call by a pointer that was taken while the hooks were in.
        if ((attention.load() & kAttentionHooks) != 0) late_loading::take_hooks_out();
        attention_has_changed();
      } else if (gate.request.load(std::memory_order_acquire) != GateRequest::kAsked) {
        attention_has_changed();
      } else if (asker == Asker::kHook && !can_read_loader_list()) {
        // Perhaps this very thread unloads a library: each look at the list would wait in vain. The
        // next call finds the request as well.
      } else if (session_state.compare_exchange_strong(expected, SessionState::kJoining)) {
        if (gate.request.compare_exchange_strong(asked, GateRequest::kTaken)) {
          join_as_asked();
          attention_has_changed();
        } else {
          session_state.store(expected);
        }
      }
    }
  }
}

}  // namespace

void register_upcalls() {
  upcalls = {answer_at_gate,   join_session, continue_as_forked_child,
             poll_environment, look_at_gate, late_loading::take_hooks_out};
  at_object_met(met_object);
}

bool join_session() {
  if (first_look.load(std::memory_order_acquire) != FirstLook::kNotTaken) return recording();
  // ld.so calls malloc before libc has set up the environment: try again at a later call.
  if (environ == nullptr) return false;
  FirstLook expected = FirstLook::kNotTaken;
  if (!first_look.compare_exchange_strong(expected, FirstLook::kTaking)) return false;
  const int saved_errno = errno;
  session_state.store(SessionState::kJoining);
  const bool joined = look_for_session();
  first_look.store(FirstLook::kTaken, std::memory_order_release);
  errno = saved_errno;
  return joined;
}

void answer_at_gate() {
  if (!gate_is_open()) return;
  const int saved_errno = errno;
  answer_at_gate_of(Asker::kHook);
  errno = saved_errno;
}

bool look_at_gate() {
  const int saved_errno = errno;
  {
    HookScope scope(InnerCalls::kExpected);
    if (scope.outermost() && gate_is_open()) {
      const ForkHold hold;
      prepare_hooks();
      answer_at_gate_of(Asker::kOwnThread);
      if (loaded_late()) late_loading::finish_taking_hooks_out();
    }
  }
  if (recording()) {
    hook_hidden_jemallocs();
  } else {
    release_hidden_jemallocs();
  }
  errno = saved_errno;
  return recording();
}

bool continue_as_forked_child() {
  segment::SegmentHeader* segment = process.segment;
  if (segment == nullptr || !recording()) return false;
  const int saved_errno = errno;
  become_a_child();
  session_stays.store(1);  // the caller's
  bool begun = false;
  if ((segment->options & segment::kOptionFollow) != 0) {
    process.parent_index = process.index;
    session_state.store(SessionState::kJoining);
    forget_what_was_recorded();
    inherit_modules();
    begun = begin(segment, format::ProcessOrigin::kFork);
    session_state.store(SessionState::kRecording);
  } else {
    order::start();
  }
  if (begun) {
    attention_has_changed();
  } else {
    stop_recording_silently();
  }
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
  if (process.segment == nullptr && !gate_is_open()) return;
  if (order::load() == 0 && order::claim_forked_child()) {
    session_stays.store(0);  // of threads that are the parent's
    if (recording()) {
      SessionStay stay;
      continue_as_forked_child();
    } else {
      become_loaded_child();
    }
  }
  // By a thread that a handler of pthread_atfork has made, before it is done.
  constexpr int kRounds = 1000;
  for (int i = 0; i < kRounds && order::load() == 0; ++i) {
    platform::pause_for(1'000'000);
  }
  if (announced && process.segment != nullptr) process.segment->births_arrived.fetch_add(1);
}

// ---- the library's start, and what it looks at from time to time. There is no end: recording goes
// on through exit handlers and destructors until the kernel takes the process, and the collector
// drains what it left (process_end.h leaves a word of when that was).

namespace {

// Brought into a program that runs, by dlopen: whatever its environment says is not about us. Where
// another copy is there already, that one is asked.
void wait_to_be_asked() {
  first_look.store(FirstLook::kTaken);
  attention.fetch_or(kAttentionOver);
  const link_map* first = find_definition_in("libmemlens.so", "memlens_wake").object;
  if (first != nullptr && first != own_object()) return;
  if (order::start() && open_gate()) attention_has_changed();
}

// After the program's libraries have been loaded and before its main. The first hooked call may
// have joined the session already. Or, loaded late, in the midst of it.
__attribute__((constructor)) void start() {
  const int saved_errno = errno;
  {
    HookScope scope(InnerCalls::kExpected);
    prepare_hooks();
    watch_surroundings();
    prepare_allocator_statistics();
    if (loaded_late()) {
      wait_to_be_asked();
    } else {
      join_session();
    }
    if (recording() || gate_is_open()) say_last_word_at_exit();
    if (recording()) {
      publish_session();
      scan_modules();
    }
  }
  hook_hidden_jemallocs();
  {
    HookScope scope(InnerCalls::kExpected);
    if (recording()) {
      report_unseen_allocator(true);
      python_attach_at_start();
    }
  }
  errno = saved_errno;
}

}  // namespace
}  // namespace memlens::interposer
