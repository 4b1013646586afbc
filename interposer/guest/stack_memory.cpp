#include "interposer/guest/stack_memory.h"

#include "interposer/platform/memory_probe.h"

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
  if (address < kPageBytes) return false;
  const int saved_errno = errno;
  const bool readable = system_call::can_read(address);
  errno = saved_errno;
  return readable;
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
