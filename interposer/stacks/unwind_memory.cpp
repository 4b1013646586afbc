#include "interposer/stacks/unwind_memory.h"

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
  const int saved_errno = errno;
  const long result =
      syscall(SYS_rt_sigprocmask, ~0, address & ~uintptr_t{7}, nullptr, kKernelSignalSetBytes);
  const bool fault = result == -1 && errno == EFAULT;
  errno = saved_errno;
  return !fault;
}

bool StackMemory::enter_slowly(uintptr_t stack_pointer) {
  if (other_high_ != 0 && stack_pointer >= other_low_ && stack_pointer <= other_high_ - kWord) {
    const uintptr_t low = low_, high = high_;
    low_ = other_low_;
    high_ = other_high_;
    other_low_ = low;
    other_high_ = high;
    return true;
  }
  const uintptr_t page = page_of(stack_pointer);
  if (high_ != 0 && stack_pointer < low_ && low_ - page <= kMaxGrowthDownBytes) {
    uintptr_t probe = page;
    while (probe < low_ && is_readable(probe)) probe += kPageBytes;
    if (probe >= low_) {
      low_ = page;
      return true;
    }
  }
  if (!is_readable(page)) return false;
  if (other_high_ != 0) ++lost_windows_;
  other_low_ = low_;
  other_high_ = high_;
  low_ = page;
  high_ = page + kPageBytes;
  return true;
}

bool StackMemory::extend(uintptr_t address) {
  if (high_ == 0 || address < low_ || address > UINTPTR_MAX - 2 * kPageBytes) return false;
  if (address > high_ && address - high_ > kMaxGrowthBytes) return false;
  while (address > high_ - kWord) {
    if (!is_readable(high_)) return false;
    high_ += kPageBytes;
  }
  return true;
}

}  // namespace memlens::interposer::unwind
