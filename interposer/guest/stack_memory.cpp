#include "interposer/guest/stack_memory.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace memlens::interposer::unwind {

std::atomic<uint32_t> stack_windows_generation{0};

namespace {

constexpr uintptr_t kPageBytes =
    4096;  // the smallest; larger pages are only asked about more often
constexpr uintptr_t page_of(uintptr_t address) { return address & ~(kPageBytes - 1); }

// A frame larger than this is taken for nonsense.
constexpr uintptr_t kMaxGrowthBytes = 16u << 20;
// A stack that has grown down since is the same stack when every page up to the known window is
// there.
constexpr uintptr_t kMaxGrowthDownBytes = 1u << 20;

}  // namespace

void forget_stack_windows() { stack_windows_generation.fetch_add(1, std::memory_order_relaxed); }

bool is_readable(uintptr_t address) {
  // The kernel copies the signal set in before it looks at the nonsensical first argument: EFAULT
  // for memory that cannot be read, EINVAL otherwise. Unlike process_vm_readv it is in every
  // seccomp filter's list of allowed calls; unlike mincore it knows PROT_NONE.
  constexpr size_t kKernelSignalSetBytes = 8;
  if (address < kPageBytes) return false;  // no set, to the kernel
  const int saved_errno = errno;
  const long result =
      syscall(SYS_rt_sigprocmask, ~0, address & ~uintptr_t{7}, nullptr, kKernelSignalSetBytes);
  const bool fault = result == -1 && errno == EFAULT;
  errno = saved_errno;
  return !fault;
}

bool StackMemory::enter_slowly(uintptr_t stack_pointer) {
  if (other_.holds(stack_pointer)) {
    const Window window = current_;
    current_ = other_;
    other_ = window;
    return true;
  }
  const uintptr_t page = page_of(stack_pointer);
  if (!current_.empty() && page < current_.low && current_.low - page <= kMaxGrowthDownBytes) {
    uintptr_t probe = page;
    while (probe < current_.low && is_readable(probe)) probe += kPageBytes;
    if (probe >= current_.low) {
      current_ = Window::of(page, current_.high());
      return true;
    }
  }
  if (!is_readable(page)) return false;
  if (!other_.empty()) ++lost_windows_;
  other_ = current_;
  current_ = Window::of(page, page + kPageBytes);
  return true;
}

bool StackMemory::extend(uintptr_t address) {
  if (current_.empty() || address < current_.low || address > UINTPTR_MAX - 2 * kPageBytes) {
    return false;
  }
  uintptr_t high = current_.high();
  if (address > high && address - high > kMaxGrowthBytes) return false;
  while (address > high - kWord) {
    if (!is_readable(high)) return false;
    high += kPageBytes;
    current_ = Window::of(current_.low, high);
  }
  return true;
}

}  // namespace memlens::interposer::unwind
