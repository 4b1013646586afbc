// Which stack memory may be read: garbage frame pointers must never crash the program.
//
// A window is a run of pages seen to be readable around the stack pointer. It grows as the unwinder
// climbs, a page at a time, by asking the kernel (about 0.1 us a page, once); afterwards a read
// costs two compares. No thread attributes and no /proc/self/maps (100 us, too much for a thread
// that lives for 50), and it serves main, thread, signal and coroutine stacks alike.
//
// Two windows are kept: the stack in use and the one before (an alternate signal stack's other
// side). Memory above the stack pointer of a live stack stays mapped; stacks a program maps itself
// may go, which forget_stack_windows() tells.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memlens::interposer::unwind {

// Memory was unmapped, or made unreadable: every thread's windows are made anew. Any thread, no
// lock.
void forget_stack_windows();
extern std::atomic<uint32_t> stack_windows_generation;

// Asks the kernel; keeps errno. No lock, async-signal-safe.
bool is_readable(uintptr_t address);

// In zeroed memory; belongs to one thread.
class StackMemory {
 public:
  // Makes the window around `stack_pointer` the current one. False when it points to nothing
  // readable.
  bool enter(uintptr_t stack_pointer) {
    if (current_.holds(stack_pointer)) return true;
    return enter_slowly(stack_pointer);
  }

  // May the word at `address` be read? Only addresses in or above the current window.
  bool readable(uintptr_t address) {
    if (current_.holds(address)) return true;
    return extend(address);
  }

  // Counts windows lost, whose addresses must be taken for unreadable now.
  uint32_t lost_windows() const { return lost_windows_; }

  void forget() {
    current_ = other_ = {};
    ++lost_windows_;
  }

 private:
  static constexpr uintptr_t kWord = sizeof(uintptr_t);

  struct Window {
    uintptr_t low;
    uintptr_t word_starts;  // how many bytes from `low` on a word may start at; 0: no window

    bool holds(uintptr_t address) const { return address - low < word_starts; }
    bool empty() const { return word_starts == 0; }
    uintptr_t high() const { return low + word_starts + kWord - 1; }
    static Window of(uintptr_t low, uintptr_t high) { return {low, high - low - kWord + 1}; }
  };

  bool enter_slowly(uintptr_t stack_pointer);
  bool extend(uintptr_t address);

  Window current_;
  Window other_;
  uint32_t lost_windows_;
};

inline uintptr_t load_word(uintptr_t address) {
  return *reinterpret_cast<const uintptr_t*>(address);
}

}  // namespace memlens::interposer::unwind
