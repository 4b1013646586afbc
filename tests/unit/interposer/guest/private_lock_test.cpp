#include "interposer/guest/private_lock.h"

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

TEST_CASE("a lock that its own thread left behind is taken over") {
  PrivateLock lock;
  char self = 0;
  REQUIRE(lock.lock(&self));  // and never let go of
  CHECK(lock.lock(&self));
  lock.unlock();
  CHECK(lock.lock(&self));
  lock.unlock();
}

TEST_CASE("a lock that was waited for in vain is not waited for again until it is let go of") {
  PrivateLock lock;
  char other = 0, self = 0;
  REQUIRE(lock.lock(&other));
  CHECK_FALSE(lock.lock(&self));
  // Were each of these to wait, the test's time limit would not do.
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(lock.lock(&self));
  lock.unlock();
  CHECK(lock.lock(&self));
  lock.unlock();
  CHECK(lock.lock(&other));
  lock.reset();
  CHECK(lock.lock(&self));
  lock.unlock();
}
