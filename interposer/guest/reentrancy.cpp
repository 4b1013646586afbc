#include "interposer/guest/reentrancy.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "interposer/guest/stack_memory.h"
#include "interposer/platform/thread_calls.h"

namespace memlens::interposer {

constinit thread_local ThreadState* thread_state = nullptr;
constinit thread_local uintptr_t hook_frame = 0;
constinit thread_local uint64_t sample_countdown = 0;
constinit thread_local uint64_t sample_interval = 0;
namespace {

// Calls that an allocator makes within itself lie this close to it (they are frequent: every large
// block of Python's). So near, what lies between is a stack's and can be read.
constexpr uintptr_t kNearBytes = 16 << 10;

// The largest stack that is looked through for gaps.
constexpr uintptr_t kMaxStackBytes = 64 << 20;
constexpr uintptr_t kPageBytes = 4096;

std::atomic<bool> allocator_calls{false};
std::atomic<std::atomic<uint32_t>*> skipped_calls{nullptr};

struct StackRange {
  bool holds(uintptr_t address) const { return address >= start && address < end; }
  uintptr_t start = 0;
  uintptr_t end = 0;
};

// The alternate signal stack, if that is what the thread is running on.
StackRange alternate_stack_in_use() {
  const int saved_errno = errno;
  stack_t stack{};
  StackRange range;
  if (system_call::on_alternate_stack(stack)) {
    range.start = reinterpret_cast<uintptr_t>(stack.ss_sp);
    range.end = range.start + stack.ss_size;
  }
  errno = saved_errno;
  return range;
}

// Stacks end in pages that cannot be read.
bool on_one_stack(uintptr_t low, uintptr_t high) {
  if (high - low > kMaxStackBytes) return false;
  for (uintptr_t page = low & ~(kPageBytes - 1); page <= high; page += kPageBytes) {
    if (!unwind::is_readable(page)) return false;
  }
  return true;
}

}  // namespace

// The guard as the calling thread finds it.
class FoundGuard {
 public:
  explicit FoundGuard(uintptr_t here) : here_(here), holder_(hook_frame) {}

  bool stale() const {
    if (holder_ > here_ && holder_ - here_ <= kNearBytes) return !sealed();
    if (!unwind::is_readable(holder_) || !sealed()) return true;
    if (holder_ > here_) return false;  // a handler with a large frame, or on a stack below
    const StackRange alternate = alternate_stack_in_use();
    if (alternate.holds(here_) && !alternate.holds(holder_)) return false;
    return on_one_stack(holder_, here_);
  }

  // Whether calls like this one are no signal handler's.
  bool inner_call_expected() const {
    return seal() == HookScope::seal_of(holder_, InnerCalls::kExpected) ||
           allocator_calls.load(std::memory_order_relaxed);
  }

 private:
  // A stale guard points into memory that is anything by now: what is read there is judged, not
  // used.
  __attribute__((no_sanitize("address"))) uintptr_t seal() const {
    return *reinterpret_cast<const volatile uintptr_t*>(holder_);
  }
  bool sealed() const {
    const uintptr_t found = seal();
    return found == HookScope::seal_of(holder_, InnerCalls::kOfAllocator) ||
           found == HookScope::seal_of(holder_, InnerCalls::kExpected);
  }

  const uintptr_t here_;
  const uintptr_t holder_;
};

bool HookScope::takes_over(uintptr_t here, InnerCalls inner_calls) {
  const FoundGuard guard(here);
  if (guard.stale()) return true;
  if (inner_calls == InnerCalls::kExpected || guard.inner_call_expected()) return false;
  if (std::atomic<uint32_t>* counter = skipped_calls.load(std::memory_order_relaxed)) {
    counter->fetch_add(1, std::memory_order_relaxed);
  }
  return false;
}

void leave_hooks_for(uintptr_t stack_pointer) {
  const uintptr_t holder = hook_frame;
  if (holder == 0) return;
  const StackRange alternate = alternate_stack_in_use();
  const bool stays_on_alternate = alternate.holds(stack_pointer) && !alternate.holds(holder);
  const bool leaves_alternate = alternate.end != 0 && !alternate.holds(stack_pointer);
  if ((stack_pointer > holder && !stays_on_alternate) || leaves_alternate) hook_frame = 0;
}

void expect_calls_of_allocator() { allocator_calls.store(true, std::memory_order_relaxed); }

void count_skipped_calls_in(std::atomic<uint32_t>* counter) {
  skipped_calls.store(counter, std::memory_order_relaxed);
}

}  // namespace memlens::interposer
