#include "interposer/record/mark_signal.h"

#include <csignal>

#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// Anywhere, also inside a hook or a lock of libc's: it only counts, and the collector names the
// moment when it next looks, within 10 ms. In a child of vfork it is the parent's count, which is
// the same memory.
void on_mark_signal(int) {
  if (process.segment != nullptr) own_slot().signal_marks.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void take_mark_signal() {
  if ((process.segment->options & segment::kOptionMarkOnSignal) == 0) return;
  struct sigaction now {};
  if (sigaction(SIGUSR2, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 ||
      now.sa_handler != SIG_DFL) {
    return;
  }
  struct sigaction marks {};
  marks.sa_handler = on_mark_signal;
  marks.sa_flags = SA_RESTART | SA_ONSTACK;
  sigfillset(&marks.sa_mask);
  sigaction(SIGUSR2, &marks, nullptr);
}

}  // namespace memlens::interposer
