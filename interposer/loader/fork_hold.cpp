#include "interposer/loader/fork_hold.h"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "interposer/guest/scope_count.h"
#include "interposer/platform/futex.h"

// What pthread_atfork calls, with the object whose unloading takes the handlers out: none.
extern "C" int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(),
                                 void* object);

namespace memlens::interposer {
namespace {

// Two who raise a flag each before they look at the other's; both give up after a while.
std::atomic<uint32_t> holds{0};
std::atomic<uint32_t> forks{0};

void wait_until_zero(const std::atomic<uint32_t>& count) {
  constexpr int kMostRounds = 200'000;
  constexpr int64_t kRoundNs = 100'000;
  const int saved_errno = errno;
  for (int i = 0; i < kMostRounds && count.load() != 0; ++i) platform::pause_for(kRoundNs);
  errno = saved_errno;
}

}  // namespace

void begin_fork() {
  forks.fetch_add(1);
  wait_until_zero(holds);
}

void end_fork() { count_one_less(forks); }

void forget_forks_of_parent() {
  forks.store(0);
  holds.store(0);
}

ForkHold::ForkHold() {
  static std::atomic<bool> registered{false};
  if (!registered.exchange(true)) {
    __register_atfork(begin_fork, end_fork, forget_forks_of_parent, nullptr);
  }
  constexpr int kMostRounds = 1000;
  for (int i = 0; i < kMostRounds; ++i) {
    holds.fetch_add(1);
    if (forks.load() == 0) return;
    count_one_less(holds);
    wait_until_zero(forks);
  }
  holds.fetch_add(1);
}

ForkHold::~ForkHold() { count_one_less(holds); }

}  // namespace memlens::interposer
