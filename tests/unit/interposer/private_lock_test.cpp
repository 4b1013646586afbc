#include "interposer/private_lock.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using memlens::interposer::PrivateLock;

TEST_CASE("the lock excludes other threads") {
  PrivateLock lock;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      thread_local char self = 0;
      for (int round = 0; round < 20000; ++round) {
        REQUIRE(lock.lock(&self));
        ++counter;
        lock.unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(counter == 80000);
}

namespace {
// A frame below the holder's, as a signal handler's would be.
__attribute__((noinline)) bool lock_from_deeper(PrivateLock& lock, const void* self) {
  const bool taken = lock.lock(self);
  asm volatile("");
  return taken;
}
// Leaves without unlocking, as a killed vfork child does.
__attribute__((noinline)) void lock_and_leave(PrivateLock& lock, const void* self) {
  volatile char frame[256];
  frame[0] = 0;
  REQUIRE(lock_from_deeper(lock, self));
  asm volatile("" ::"r"(&frame));
}
}  // namespace

TEST_CASE("a signal handler above the holder is refused instead of hanging") {
  PrivateLock lock;
  char self = 0;
  REQUIRE(lock.lock(&self));
  CHECK_FALSE(lock_from_deeper(lock, &self));
  lock.unlock();
  CHECK(lock_from_deeper(lock, &self));
  lock.unlock();
}

TEST_CASE("a lock left behind by a frame that is gone is taken over") {
  PrivateLock lock;
  char self = 0;
  lock_and_leave(lock, &self);
  CHECK(lock.lock(&self));
  lock.unlock();
}
