#include "interposer/program/python/attach.h"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/program/python/allocator_hooks.h"
#include "interposer/python/code_table.h"
#include "interposer/python/other_pythons.h"
#include "interposer/python/runtime.h"
#include "interposer/python/shutdown_watch.h"
#include "interposer/python/thread_of_interpreter.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampler.h"
#include "interposer/session/process.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

namespace {

enum class Phase : uint8_t { kNotInitialized, kInitialized, kShutDown };
std::atomic<Phase> phase{Phase::kNotInitialized};

using python::runtime;

// A program that is linked with Python and never starts it: from here on the slow path's polls do.
constexpr uint32_t kMaxEventPolls = 200'000;

PrivateLock attach_lock;
std::atomic<bool> attached{false};       // `runtime` is complete
std::atomic<bool> being_loaded{false};   // an interpreter was there, not yet relocated
std::atomic<bool> described{false};      // in this process's metadata
std::atomic<bool> hooks_settled{false};  // nobody replaces the allocators any more
std::atomic<uint32_t> event_polls{0};

// What the interpreter's functions allocate or set errno to when we call them is none of the
// program's doing.
class Discreetly {
 public:
  Discreetly() : saved_errno_(errno) {}
  ~Discreetly() { errno = saved_errno_; }
  Discreetly(const Discreetly&) = delete;
  Discreetly& operator=(const Discreetly&) = delete;

 private:
  HookScope scope_{InnerCalls::kExpected};
  int saved_errno_;
};

bool hooks_wanted() {
  return session_is_open() && (process.segment->options & segment::kOptionPythonAllocators) != 0;
}

void describe(bool first_time) {
  if (described.exchange(true)) return;
  if (runtime.layout_known) {
    define_python(runtime.minor, runtime.hexversion, runtime.version,
                  hooks_wanted() ? "frames, PyMem and PyObject allocators" : "frames");
    return;
  }
  Line line;
  line.text("no Python stacks for Python ").text(runtime.version).text(" (");
  line.text(runtime.layout_problem).text("); sizes and native stacks are recorded");
  define_python(runtime.minor, runtime.hexversion, runtime.version, line.c_str());
  define_diagnostic(format::DiagnosticCode::kPythonLayoutUnknown, line.c_str());
  if (first_time) report_line(line);
}

void install_hooks() {
  if (!hooks_wanted() || hooks_settled.load(std::memory_order_relaxed)) return;
  if (!python::install_allocator_hooks()) {
    hooks_settled.store(true, std::memory_order_relaxed);
    const char* text =
        "Python's allocators are replaced again and again; its objects are not recorded from here "
        "on";
    define_diagnostic(format::DiagnosticCode::kOther, text);
    report_line(Line().text(text));
  }
}

void want_every_event(bool wanted) {
  if (wanted) {
    attention.fetch_or(kAttentionPython);
    sampler::draw_anew();
  } else {
    attention.fetch_and(~kAttentionPython);
  }
  attention_has_changed();
}

void check_for_shutdown() {
  if (runtime.is_initialized() != 0) return;
  Phase expected = Phase::kInitialized;
  if (!phase.compare_exchange_strong(expected, Phase::kShutDown)) return;
  python::shutdown_watch.store(&python::kNothingToAsk, std::memory_order_relaxed);
  hooks_settled.store(false, std::memory_order_relaxed);  // if it starts again, it may replace them
  record_shutdown(true);
}

// Initialised, shut down, initialised again: an embedding program may go round several times.
void follow_phase() {
  const bool initialized = runtime.is_initialized() != 0;
  if (!initialized) {
    check_for_shutdown();
    return;
  }
  if (runtime.layout_known) {
    if (!python_stacks_ready()) start_python_stacks();
    python::trust_current_thread_state_slot();
  }
  hooks_settled.store(true, std::memory_order_relaxed);
  want_every_event(false);
  const Phase before = phase.exchange(Phase::kInitialized);
  const int* flag = runtime.initialized_flag;
  python::shutdown_watch.store(flag != nullptr && *flag != 0 ? flag : &python::kAsk,
                               std::memory_order_relaxed);
  if (before == Phase::kShutDown) record_shutdown(false);
}

void new_session() {
  attach_lock.reset();
  python::forget_code_objects();
  described.store(false);
}

// The context of the hooks is their originals' own, so another thread may be calling just now.
void session_ended() {
  if (!attach_lock.lock(&hook_frame)) return;
  python::remove_allocator_hooks();
  hooks_settled.store(false, std::memory_order_relaxed);
  event_polls.store(0, std::memory_order_relaxed);
  attach_lock.unlock();
}

bool attach_locked(bool at_start) {
  if (attached.load(std::memory_order_relaxed)) return true;
  if (!python::find_runtime(runtime)) return false;
  at_new_session(new_session);
  at_session_end(session_ended);
  python::check_for_shutdown = check_for_shutdown;
  describe(true);
  // An interpreter loaded later may be asked for its threads' states only once it is initialised:
  // inside dlopen its thread-local storage is not there yet.
  if (runtime.layout_known && at_start) start_python_stacks();
  attached.store(true, std::memory_order_release);
  want_every_event(true);
  return true;
}

void attach(bool at_start) {
  if (!attached.load(std::memory_order_acquire)) {
    Discreetly discreetly;
    if (!attach_lock.lock(&hook_frame)) return;
    const bool found = attach_locked(at_start);
    attach_lock.unlock();
    if (!found) return;
  }
  python_poll();
}

std::atomic<bool> other_python_told{false};

void tell_of_other_python() {
  if (other_python_told.load(std::memory_order_relaxed)) return;
  const char* name = python::other_python();
  if (name == nullptr || other_python_told.exchange(true)) return;
  Discreetly discreetly;
  Line line;
  line.text("no Python stacks: ").text(name).text(" keeps its objects in a heap of its own; ");
  line.text("recorded are its mappings and mallocs, with native stacks");
  define_diagnostic(format::DiagnosticCode::kPythonLayoutUnknown, line.c_str());
  report_line(line);
}

}  // namespace

void python_attach_at_start() {
  attach(true);
  if (!attached.load(std::memory_order_relaxed)) tell_of_other_python();
}

void python_attach_loaded() {
  if (attached.load(std::memory_order_acquire)) return;
  HookScope scope(InnerCalls::kExpected);
  const python::Presence presence = python::interpreter_presence();
  being_loaded.store(presence == python::Presence::kBeingLoaded, std::memory_order_relaxed);
  if (presence == python::Presence::kThere) attach(false);
  if (presence == python::Presence::kAbsent) tell_of_other_python();
}

void python_attach_while_joining() {
  if (!attached.load(std::memory_order_acquire)) return python_attach_loaded();
  want_every_event(true);
  python_poll();
}

void python_poll() {
  if (!attached.load(std::memory_order_acquire)) {
    if (being_loaded.load(std::memory_order_relaxed)) python_attach_loaded();
    return;
  }
  Discreetly discreetly;
  if (!described.load(std::memory_order_relaxed)) describe(false);
  if (!hooks_settled.load(std::memory_order_relaxed)) {
    if (!attach_lock.lock(&hook_frame)) return;
    install_hooks();
    attach_lock.unlock();
    if (event_polls.fetch_add(1, std::memory_order_relaxed) == kMaxEventPolls) {
      want_every_event(false);
    }
  }
  follow_phase();
}

}  // namespace memlens::interposer
