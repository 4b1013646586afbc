#include "interposer/record/order.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

using namespace memlens::interposer;

TEST_CASE("the owner keeps its epoch and a newcomer takes the next") {
  REQUIRE(order::start());
  const uint64_t first = order::take(1);
  CHECK(order::owner_of(first) == 1);
  CHECK(order::take(1) == first);
  const uint64_t second = order::take(2);
  CHECK(order::owner_of(second) == 2);
  CHECK(order::epoch_of(second) == order::epoch_of(first) + 1);
  CHECK(order::load() == second);
}

TEST_CASE("a released owner's epoch ends, so that its number can name another thread") {
  REQUIRE(order::start());
  const uint64_t word = order::take(3);
  order::release(3);
  CHECK(order::owner_of(order::load()) == order::kNoOwner);
  CHECK(order::epoch_of(order::load()) > order::epoch_of(word));
  order::release(3);  // not the owner any more: nothing happens
  CHECK(order::epoch_of(order::load()) == order::epoch_of(word) + 1);
}

TEST_CASE("frequent hand-overs lead to a shared epoch with fresh counters, eight chunks back") {
  REQUIRE(order::start());
  for (uint32_t i = 0; i < 200 && !order::is_shared(order::load()); ++i) order::take(1 + i % 2);
  const uint64_t shared = order::load();
  REQUIRE(order::is_shared(shared));
  CHECK(order::take(1) == shared);
  CHECK(order::take(2) == shared);
  for (unsigned shard = 0; shard < memlens::format::kShardCount; ++shard) {
    CHECK(order::counters(shared)[shard].value.load() == 0);
  }
  for (int i = 0; i < 3; ++i) {
    order::chunk_ended_in_shared_epoch(1);
    order::chunk_ended_in_shared_epoch(2);
  }
  CHECK(order::load() == shared);
  for (int i = 0; i < 8; ++i) order::chunk_ended_in_shared_epoch(2);
  CHECK(order::owner_of(order::load()) == 2);
  CHECK(order::epoch_of(order::load()) > order::epoch_of(shared));
}

TEST_CASE("no two threads are ever given the same owner epoch") {
  REQUIRE(order::start());
  constexpr int kThreads = 4, kRounds = 20000;
  std::vector<std::vector<uint64_t>> taken(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        const uint64_t word = order::take(static_cast<uint32_t>(i + 1));
        if (!order::is_shared(word)) {
          // Only the owner itself may be told that it owns this epoch.
          if (order::owner_of(word) != static_cast<uint64_t>(i + 1)) taken[i].push_back(word);
        }
        if (round % 64 == 0) order::chunk_ended_in_shared_epoch(static_cast<uint32_t>(i + 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& wrong : taken) CHECK(wrong.empty());
}

TEST_CASE("a forked child finds the word wiped") {
  REQUIRE(order::start());
  REQUIRE(order::load() != 0);
  const pid_t child = fork();
  if (child == 0) _exit(order::load() == 0 ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
