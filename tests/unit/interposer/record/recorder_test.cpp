#include "interposer/record/recorder.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <random>
#include <thread>

#include "interposer/record/order.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/process.h"
#include "recorded_process.h"

using namespace memlens;
using namespace memlens::interposer;
using memlens::testing::block;
using memlens::testing::RecordedProcess;

namespace {

constexpr uint32_t kFirst = segment::kFirstProcess;

void allocate(uint64_t number, size_t bytes = 16) {
  record_allocation(AllocationKind::kMalloc, block(number), bytes);
}
void release(uint64_t number) { record_free(block(number)); }

// Runs `act` in a forked child and waits for its end.
template <typename Act>
void in_forked_child(Act act) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    act();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

constexpr char kDescription[] = "MEMLENS_TEST_DESCRIPTION";

}  // namespace

TEST_CASE("what is recorded is read back, block by block") {
  RecordedProcess recorded;
  for (uint64_t i = 0; i < 1000; ++i) allocate(i, i);
  for (uint64_t i = 0; i < 400; ++i) release(i);
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == 1000);
  CHECK(totals.allocated_bytes == 999 * 1000 / 2);
  CHECK(totals.frees == 400);
  CHECK(totals.leaked_blocks == 600);
  CHECK(totals.unmatched_frees == 0);
  CHECK(totals.lost_events == 0);
}

TEST_CASE("a random history of all sizes is read back as it happened") {
  RecordedProcess recorded;
  std::mt19937 random(1);
  constexpr size_t kSizes[] = {0, 8, 16, 24, 100, 5000, size_t{1} << 20, size_t{1} << 33};
  std::map<uint64_t, size_t> live;
  uint64_t allocations = 0, frees = 0, bytes = 0;
  for (int i = 0; i < 50'000; ++i) {
    const uint64_t number = random() % 3000;
    const auto known = live.find(number);
    if (known != live.end()) {
      release(number);
      live.erase(known);
      ++frees;
    } else {
      const size_t size = kSizes[random() % std::size(kSizes)];
      // Of Python's objects, a freed one's place is where the next is expected.
      const bool object = number % 2 != 0 && size <= 100;
      record_allocation(object ? AllocationKind::kPyObjectMalloc : AllocationKind::kMalloc,
                        block(number), size);
      live[number] = size;
      ++allocations;
      bytes += size;
    }
  }
  uint64_t live_bytes = 0;
  for (const auto& [number, size] : live) live_bytes += size;
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == allocations);
  CHECK(totals.allocated_bytes == bytes);
  CHECK(totals.frees == frees);
  CHECK(totals.leaked_bytes == live_bytes);
  CHECK(totals.unmatched_frees == 0);
  CHECK(totals.replaced_blocks == 0);
}

TEST_CASE("a forked child's first event makes it a process of its own") {
  RecordedProcess recorded;
  for (uint64_t i = 0; i < 10; ++i) allocate(i);
  in_forked_child([] {
    release(0);  // the parent's block: its copy, whose allocation is not the child's
    for (uint64_t i = 100; i < 107; ++i) allocate(i, 32);
    release(100);
  });
  recorded.drain_dead(kFirst + 1);
  for (uint64_t i = 10; i < 15; ++i) allocate(i);
  const reader::Totals parent = recorded.totals_of(kFirst);
  CHECK(parent.allocations == 15);
  CHECK(parent.leaked_blocks == 15);
  const reader::Totals child = recorded.totals_of(kFirst + 1);
  CHECK(child.allocations == 7);
  CHECK(child.allocated_bytes == 7 * 32);
  CHECK(recorded.totals().inherited_frees == 1);
  const auto& processes = recorded.finish().info().processes;
  REQUIRE(processes.size() == 2);
  CHECK(processes[1].parent_index == kFirst);
  CHECK(processes[1].origin == format::ProcessOrigin::kFork);
}

TEST_CASE("a forked child leaves its parent's chunk alone, also while it is half full") {
  RecordedProcess recorded;
  allocate(1);
  const segment::ChunkHeader* chunk = thread_state->chunk;
  const uint32_t committed = chunk->committed;
  in_forked_child([] {
    for (uint64_t i = 0; i < 100'000; ++i) allocate(i);  // several chunks
  });
  CHECK(chunk->committed == committed);
  CHECK(thread_state->chunk == chunk);
  allocate(2);
  recorded.drain_dead(kFirst + 1);
  CHECK(recorded.totals_of(kFirst).allocations == 2);
  CHECK(recorded.totals_of(kFirst + 1).allocations == 100'000);
}

TEST_CASE("a forked child that records nothing is no process of the recording") {
  RecordedProcess recorded;
  allocate(1);
  in_forked_child([] {});
  CHECK(recorded.finish().info().processes.size() == 1);
}

TEST_CASE("an undo is no event of a forked child that never freed") {
  RecordedProcess recorded;
  allocate(1);
  release(1);
  in_forked_child([] {
    record_undo();
    allocate(2);
  });
  recorded.drain_dead(kFirst + 1);
  CHECK(recorded.totals_of(kFirst).leaked_blocks == 0);
  CHECK(recorded.totals_of(kFirst + 1).allocations == 1);
}

// The image of the next test; see there.
TEST_CASE("image that an exec leads to" * doctest::skip()) {
  const char* description = std::getenv(kDescription);
  REQUIRE(description != nullptr);
  REQUIRE(testing::join_as_new_image(description));
  for (uint64_t i = 0; i < 3; ++i) allocate(i, 48);
  release(0);
  _exit(0);
}

TEST_CASE("what an exec leads to is another process; what was committed before it stays") {
  RecordedProcess recorded;
  allocate(1);
  const std::string description = recorded.description();
  in_forked_child([&] {
    for (uint64_t i = 0; i < 5; ++i) allocate(i);
    setenv(kDescription, description.c_str(), 1);
    execl("/proc/self/exe", "recorder_test", "--no-skip", "--test-case=image that an exec leads to",
          nullptr);
    _exit(1);
  });
  recorded.drain_dead(kFirst + 1);
  recorded.drain_dead(kFirst + 2);
  CHECK(recorded.totals_of(kFirst).allocations == 1);
  CHECK(recorded.totals_of(kFirst + 1).allocations == 5);
  const reader::Totals after = recorded.totals_of(kFirst + 2);
  CHECK(after.allocations == 3);
  CHECK(after.allocated_bytes == 3 * 48);
  CHECK(after.leaked_blocks == 2);
  const auto& processes = recorded.finish().info().processes;
  REQUIRE(processes.size() == 3);
  CHECK(processes[2].origin == format::ProcessOrigin::kExec);
  CHECK(processes[2].pid == processes[1].pid);
}

TEST_CASE("nothing is lost or left without a stack while the collector stands still for seconds") {
  RecordedProcess recorded(segment::kOptionNative);
  recorded.header()->active_chunks = 4;
  constexpr uint64_t kEvents = 200'000;  // more than four chunks hold
  std::atomic<int> running{2};
  const auto record = [&](uint64_t first) {
    for (uint64_t i = 0; i < kEvents; ++i) allocate(first + i);
    --running;
  };
  std::thread one(record, 0), other(record, kEvents);
  // Longer than anybody waits for a lock of ours.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  CHECK(running == 2);
  while (running != 0) {
    recorded.drain();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  one.join();
  other.join();
  CHECK(own_slot().refused_definitions == 0);
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == 2 * kEvents);
  CHECK(totals.lost_events == 0);
  for (const reader::Site& site : reader::analyze(recorded.finish(), {}).sites) {
    CHECK(site.node != 0);
  }
}

TEST_CASE("of a record that was never ended nothing is read, and the thread goes on") {
  RecordedProcess recorded;
  for (uint64_t i = 0; i < 10; ++i) allocate(i);
  // Killed or jumped away in the midst of writing.
  std::memset(thread_state->cursor, 0xff, 3);
  thread_state->cursor = kBusyCursor;
  const segment::ChunkHeader* chunk = thread_state->chunk;
  release(0);
  CHECK(thread_state->chunk != chunk);
  for (uint64_t i = 10; i < 20; ++i) allocate(i);
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == 20);
  CHECK(totals.frees == 1);
  CHECK(totals.lost_events == 0);
}

TEST_CASE("what a thread could not record is counted by its next chunk") {
  RecordedProcess recorded;
  allocate(1);
  thread_state->lost_events = 3;
  const segment::ChunkHeader* chunk = thread_state->chunk;
  for (uint64_t i = 2; thread_state->chunk == chunk; ++i) allocate(i);
  CHECK(thread_state->lost_events == 0);
  CHECK(recorded.totals().lost_events == 3);
}

TEST_CASE("an undo finds its free across an epoch that began between them") {
  RecordedProcess recorded;
  allocate(1);
  allocate(2);
  release(1);
  // Another thread's event begins an epoch of its own.
  std::thread([] { allocate(3); }).join();
  record_undo();
  release(2);
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == 3);
  CHECK(totals.frees == 1);
  CHECK(totals.leaked_blocks == 2);
  CHECK(totals.unmatched_frees == 0);
}

TEST_CASE("an undo finds its free in the chunk before") {
  RecordedProcess recorded;
  allocate(1);
  // Until the next record begins another chunk.
  for (uint64_t i = 0; thread_state->cursor < thread_state->hard_limit; ++i) {
    allocate(100 + i);
    release(100 + i);
    release(1);
    if (thread_state->cursor >= thread_state->hard_limit) break;
    record_undo();
  }
  const segment::ChunkHeader* chunk = thread_state->chunk;
  record_undo();
  CHECK(thread_state->chunk != chunk);
  CHECK(recorded.totals().leaked_blocks == 1);
}

TEST_CASE("no order word comes twice, also not in a later session") {
  uint64_t last = 0;
  {
    RecordedProcess before;
    allocate(1);
    last = order::load();
  }
  RecordedProcess recorded;
  CHECK(order::epoch_of(order::load()) > order::epoch_of(last));
  allocate(1);
  CHECK(recorded.totals().allocations == 1);
}

TEST_CASE("an undo is no event of a session that its free was not in") {
  {
    RecordedProcess before;
    allocate(1);
    release(1);
  }
  RecordedProcess recorded;
  record_undo();
  CHECK(recorded.totals().events == 0);
}

namespace {

// One block's address goes from hand to hand.
void pass_on_a_block() {
  RecordedProcess recorded;
  constexpr uint64_t kTurns = 2001;
  std::atomic<uint64_t> turn{0};
  const auto take_turns = [&](uint64_t mine) {
    for (uint64_t i = mine; i < kTurns; i += 2) {
      while (turn.load(std::memory_order_acquire) != i) std::this_thread::yield();
      if (i != 0) release(7);
      allocate(7, 100 + i);
      turn.store(i + 1, std::memory_order_release);
    }
  };
  std::thread one(take_turns, 0), other(take_turns, 1);
  one.join();
  other.join();
  const reader::Totals totals = recorded.totals();
  CHECK(totals.allocations == kTurns);
  CHECK(totals.frees == kTurns - 1);
  CHECK(totals.leaked_bytes == 100 + kTurns - 1);
  CHECK(totals.unmatched_frees == 0);
  CHECK(totals.replaced_blocks == 0);
}

}  // namespace

TEST_CASE("what one thread frees another may be given, from epoch to epoch") { pass_on_a_block(); }

TEST_CASE("events of a shared epoch on one address are in the order of their stamps") {
  RecordedProcess recorded;
  // Owners that change fast enough for a shared epoch, whatever else the machine does: tried again
  // until it is one.
  while (!order::is_shared(order::load())) {
    order::take(1001);
    order::take(1002);
  }
  // Neither thread's chunk has another time record before its end, so time says nothing.
  std::atomic<int> turn{0};
  const auto wait_for = [&](int mine) {
    while (turn.load(std::memory_order_acquire) != mine) std::this_thread::yield();
  };
  // Odd: the last block is the first thread's. In the order of the streams it would be the other's.
  constexpr int kTurns = 41;
  const auto take_turns = [&](int mine) {
    for (int i = mine; i < kTurns; i += 2) {
      wait_for(i);
      if (i != 0) release(7);
      allocate(7, 100 + static_cast<size_t>(i));
      turn.store(i + 1, std::memory_order_release);
    }
  };
  std::thread one(take_turns, 0), other(take_turns, 1);
  one.join();
  other.join();
  CHECK(order::is_shared(order::load()));
  const reader::Totals totals = recorded.totals();
  CHECK(totals.frees == kTurns - 1);
  CHECK(totals.leaked_bytes == 100 + kTurns - 1);
  CHECK(totals.replaced_blocks == 0);
}

TEST_CASE("when the collector is gone, recording ends and the program runs on") {
  RecordedProcess recorded;
  allocate(1);
  recorded.header()->stop = segment::kStopRequested;
  // Not noticed by an event, but by the next that looks: at the next tick.
  ++recorded.header()->tick;
  allocate(2);
  CHECK(!recording());
  allocate(3);
  CHECK(recorded.totals().allocations == 1);
}
