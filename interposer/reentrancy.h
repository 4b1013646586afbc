// Which hook is the outermost one on this thread.
//
// Nested calls belong to the outermost hook: calloc inside realloc inside PyObject_Malloc is one
// Python block. The guard word holds the stack address of the outermost hook's scope instead of a
// count, because a scope can be left without its end: a vfork child that shares our memory is
// killed inside a hook, or a signal handler longjmps out of one. A count would then silence the
// thread for good; an address that lies below the current frame is seen to be stale.
#pragma once

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

class HookScope {
 public:
  __attribute__((always_inline)) HookScope() : outer_(hook_frame) {
    const auto here = reinterpret_cast<uintptr_t>(this);
    outermost_ = outer_ < here;  // 0, or a frame that has been left
    if (outermost_) hook_frame = here;
  }
  __attribute__((always_inline)) ~HookScope() {
    if (outermost_) hook_frame = 0;
  }
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;

  bool outermost() const { return outermost_; }

 private:
  uintptr_t outer_;
  bool outermost_;
};

}  // namespace memlens::interposer
