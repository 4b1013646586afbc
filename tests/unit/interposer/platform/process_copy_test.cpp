#include "interposer/platform/process_copy.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace memlens::interposer::process_copy {
namespace {

constexpr size_t kBytes = 64 << 10;

std::atomic<int>* map_shared(size_t bytes = kBytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  return static_cast<std::atomic<int>*>(pages);
}

Ending wait_for(int32_t pid) {
  REQUIRE(pid > 0);
  Ending ending = look_for_end(pid);
  for (; ending == Ending::kNone; ending = look_for_end(pid)) usleep(1000);
  return ending;
}

std::atomic<int>* said = nullptr;
std::atomic<int>* others = nullptr;
int own = 0;

void say() { said->store(7); }
void write_to_others() {
  said->store(own = 8);
  others->store(9);
  said->store(10);
}
void wait_in_copy() { pause(); }

TEST_CASE("a copy says something in the memory that it is given") {
  said = map_shared();
  CHECK(wait_for(make(say, said, kBytes)) == Ending::kDone);
  CHECK(said->load() == 7);
}

TEST_CASE("a copy writes to no other memory that is shared, and crashes where it tries") {
  said = map_shared();
  others = map_shared(2 * kBytes);
  others->store(1);
  CHECK(wait_for(make(write_to_others, said, kBytes)) == Ending::kCrashed);
  CHECK(said->load() == 8);
  CHECK(others->load() == 1);
  CHECK(own == 0);
}

TEST_CASE("what is shared on both sides of the memory it is given, in one mapping") {
  std::atomic<int>* all = map_shared(3 * kBytes);
  said = all + kBytes / sizeof *all;
  for (std::atomic<int>* beside : {all, said - 1, said + kBytes / sizeof *all}) {
    others = beside;
    said->store(0);
    CHECK(wait_for(make(write_to_others, said, kBytes)) == Ending::kCrashed);
    CHECK(said->load() == 8);
    CHECK(others->load() == 0);
  }
}

// Where the copy ran on the fiber's stack, both would write to it.
int done_in_fiber = 0;
void make_many() {
  for (int i = 0; i < 50; ++i) done_in_fiber += wait_for(make(say, said, kBytes)) == Ending::kDone;
}

TEST_CASE("a fiber whose stack is shared memory makes a copy and goes on") {
  said = map_shared();
  ucontext_t back, fiber;
  REQUIRE(getcontext(&fiber) == 0);
  fiber.uc_stack.ss_sp = map_shared(4 * kBytes);
  fiber.uc_stack.ss_size = 4 * kBytes;
  fiber.uc_link = &back;
  makecontext(&fiber, make_many, 0);
  REQUIRE(swapcontext(&back, &fiber) == 0);
  CHECK(done_in_fiber == 50);
}

TEST_CASE("a copy of a thread that goes before all others does not") {
  const sched_param priority{1};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
    MESSAGE("skipped: this user may not have such threads");
    return;
  }
  said = map_shared();
  const int32_t pid = make(wait_in_copy, said, kBytes);
  usleep(50'000);
  const int policy = sched_getscheduler(pid);
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);
  CHECK(policy == SCHED_OTHER);
  CHECK(end(pid) != Ending::kNone);
}

TEST_CASE("a copy of a thread that gives way to all others does so too") {
  said = map_shared();
  // Not every user may have such a thread back as it was.
  std::thread([] {
    const sched_param none{};
    CHECK(sched_setscheduler(0, SCHED_IDLE, &none) == 0);
    const int32_t pid = make(say, said, kBytes);
    usleep(50'000);
    CHECK(sched_getscheduler(pid) == SCHED_IDLE);
    CHECK(wait_for(pid) == Ending::kDone);
  }).join();
  CHECK(said->load() == 7);
}

TEST_CASE("a copy that cannot be confined does nothing") {
  said = map_shared();
  // Without descriptors to be had it cannot look at its memory.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const int32_t pid = make(say, said, kBytes);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(wait_for(pid) == Ending::kUnconfined);
  CHECK(said->load() == 0);
}

}  // namespace
}  // namespace memlens::interposer::process_copy
