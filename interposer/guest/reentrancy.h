// Which hook is the outermost one on this thread.
//
// Nested calls belong to the outermost hook: calloc inside realloc inside PyObject_Malloc is one
// Python block. The guard word holds the stack address of the outermost hook's scope instead of a
// count, because a scope can be left without its end: a signal handler jumps out of a hook, or a
// vfork child that shares our memory is killed inside one. A count would then silence the thread
// for good.
//
// So a guard that is found set is either live (we are called from within that hook: by the
// allocator, or by a signal handler that interrupted it, perhaps on a stack of its own) or stale.
// To take a live one for stale would record in the middle of a record; to take a stale one for live
// loses what the thread does from there on. Told apart in reentrancy.cpp:
//
//   longjmp and its like are hooked: a jump out of the hook clears the guard (jump_hooks.cpp). That
//   is exact, and the only way to leave that ordinary programs use;
//   a scope has a seal in its own memory. One that was left is overwritten sooner or later;
//   on the same stack, a live scope lies above whoever is called from within it.
#pragma once

#include <atomic>
#include <cstdint>

namespace memlens::interposer {

struct ThreadState;

// All of our static TLS: 32 bytes, initial-exec. More than about 1.5 kB would make a later dlopen
// of this library fail for want of static TLS space.
extern constinit thread_local ThreadState* thread_state;  // nullptr until the thread's first event
extern constinit thread_local uintptr_t hook_frame;       // 0: no hook active
// Where blocks are sampled (sampler.h), in one load each for who lets them pass.
extern constinit thread_local uint64_t sample_countdown;  // 0: to be drawn
extern constinit thread_local uint64_t sample_interval;   // what the countdown was drawn from

// Who calls hooked functions while the hook's own call is going on.
enum class InnerCalls : uint8_t {
  kOfAllocator,  // an allocator that is not libc's, for its own memory; else only signal handlers
  kExpected,     // what is called allocates in turn
};

class HookScope {
 public:
  __attribute__((always_inline)) explicit HookScope(
      InnerCalls inner_calls = InnerCalls::kOfAllocator) {
    const auto here = reinterpret_cast<uintptr_t>(this);
    outermost_ = __builtin_expect(hook_frame == 0, 1) || takes_over(here, inner_calls);
    if (!outermost_) return;
    hook_frame = here;
    // Volatile: read by way of the guard alone.
    *const_cast<volatile uintptr_t*>(&seal_) = seal_of(here, inner_calls);
  }
  __attribute__((always_inline)) ~HookScope() {
    if (outermost_) hook_frame = 0;
  }
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;

  bool outermost() const { return outermost_; }

 private:
  friend class FoundGuard;

  static uintptr_t seal_of(uintptr_t scope, InnerCalls inner_calls) {
    return scope ^
           (inner_calls == InnerCalls::kExpected ? 0x9e3779b97f4a7c16u : 0x9e3779b97f4a7c15u);
  }
  // The guard is set: whether it is stale. Counts the call if it is a signal handler's: a scope
  // whose own calls allocate is the recorder's, or Python's, which handlers do not call.
  __attribute__((noinline)) static bool takes_over(uintptr_t here, InnerCalls inner_calls);

  uintptr_t seal_;  // the scope's first member: the guard points to it
  bool outermost_;
};

// The thread is about to go on at `stack_pointer`, as longjmp does: clears the guard if that leaves
// the hook. From a signal handler or anywhere; keeps errno.
void leave_hooks_for(uintptr_t stack_pointer);

// Set once the program's allocator is known to be another than libc's, whose inner calls arrive at
// our hooks.
void expect_calls_of_allocator();

// Where calls are counted that signal handlers made inside a hook, which are not recorded. Until
// then, and after nullptr, they are not counted.
void count_skipped_calls_in(std::atomic<uint32_t>* counter);

}  // namespace memlens::interposer
