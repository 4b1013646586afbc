#include "interposer/collector/process_watch.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "interposer/collector/process_files.h"
#include "interposer/collector/shared_segment.h"
#include "interposer/platform/clock.h"

using namespace memlens;
using collector::ProcessWatch;
using collector::WatchedProcess;

namespace {

// As interposer/definitions/process_registration.cpp does it.
uint32_t register_process(segment::SegmentHeader* segment, uint32_t slot, int32_t pid) {
  segment::ProcessSlot& taken = segment->processes[slot];
  taken.state = segment::kSlotClaimed;
  taken.process = segment->next_process.fetch_add(1);
  taken.pid = pid;
  taken.pid_namespace = collector::pid_namespace_of(0);
  taken.birth_ticks = platform::read_ticks();
  taken.end_ticks = 0;
  taken.reaped_ticks = 0;
  taken.state.store(segment::kSlotLive, std::memory_order_release);
  return taken.process;
}

pid_t start_sleeper() {
  const pid_t pid = fork();
  if (pid == 0) {
    signal(SIGTERM, SIG_DFL);  // not the test framework's report of a crash
    pause();
    _exit(0);
  }
  return pid;
}

std::vector<WatchedProcess> wait_for_end(ProcessWatch& watch) {
  for (int i = 0; i < 1000; ++i) {
    auto ended = watch.update();
    if (!ended.empty()) return ended;
    usleep(2000);
  }
  return {};
}

}  // namespace

TEST_CASE("a process lives until its pidfd says otherwise, and its slot is used again") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  const pid_t pid = start_sleeper();
  const uint32_t index = register_process(segment.header(), 3, pid);
  CHECK(watch.update().empty());
  REQUIRE(watch.living().size() == 1);
  CHECK(watch.living()[0].host_pid == pid);
  CHECK(watch.is_tracked(pid));
  kill(pid, SIGKILL);
  const auto ended = wait_for_end(watch);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].process == index);
  CHECK(ended[0].slot == 3);
  CHECK(watch.living().empty());
  watch.free_slot(ended[0]);
  CHECK(segment.header()->processes[3].state == segment::kSlotFree);
  waitpid(pid, nullptr, 0);

  const pid_t next = start_sleeper();
  register_process(segment.header(), 3, next);
  watch.update();
  CHECK(watch.is_tracked(next));
  kill(next, SIGKILL);
  waitpid(next, nullptr, 0);
}

TEST_CASE("a zombie is dead, and one that had gone before we looked as well") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  const pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  usleep(20'000);
  register_process(segment.header(), 0, zombie);
  CHECK(wait_for_end(watch).size() == 1);
  waitpid(zombie, nullptr, 0);
  register_process(segment.header(), 1, zombie);
  CHECK(wait_for_end(watch).size() == 1);
}

TEST_CASE("exec ends the old image though the pid lives on, in whatever order slots are found") {
  for (const bool newer_slot_first : {false, true}) {
    collector::SharedSegment segment(0);
    ProcessWatch watch(segment.header());
    const pid_t pid = start_sleeper();
    const uint32_t old_image = register_process(segment.header(), newer_slot_first ? 9 : 1, pid);
    const uint32_t new_image = register_process(segment.header(), 5, pid);
    const auto ended = watch.update();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].process == old_image);
    REQUIRE(watch.living().size() == 1);
    CHECK(watch.living()[0].process == new_image);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}

TEST_CASE("the direct child's status is the one that was waited for") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  const pid_t pid = start_sleeper();
  watch.set_child(pid);
  register_process(segment.header(), 0, pid);
  watch.update();
  kill(pid, SIGKILL);
  usleep(20'000);
  CHECK(watch.update().empty());  // not before it was waited for
  waitpid(pid, nullptr, 0);
  watch.child_ended({std::nullopt, SIGKILL});
  const auto ended = watch.update();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].status.signal == SIGKILL);
}

TEST_CASE("a slot that is claimed but not filled in is waited for") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  segment.header()->processes[0].state = segment::kSlotClaimed;
  segment.header()->next_process.fetch_add(1);
  watch.update();
  CHECK(watch.registration_pending());
  CHECK(watch.living().empty());
}

TEST_CASE("a process ended when it said its last word, or by the time its parent knew") {
  collector::SharedSegment segment(0);
  segment::ProcessSlot* slots = segment.header()->processes;
  ProcessWatch watch(segment.header());
  pid_t pids[3];
  for (uint32_t i = 0; i < 3; ++i) register_process(segment.header(), i, pids[i] = start_sleeper());
  watch.update();
  const uint64_t before = platform::read_ticks();
  slots[0].end_ticks = before;
  slots[0].end_status = 3 << 8;
  for (const pid_t pid : pids) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  slots[1].reaped_status = SIGKILL;
  slots[1].reaped_ticks = platform::read_ticks();
  const uint64_t after = platform::read_ticks();
  std::vector<WatchedProcess> ended;
  while (ended.size() < 3) {
    for (const WatchedProcess& process : watch.update()) ended.push_back(process);
  }
  std::ranges::sort(ended, {}, &WatchedProcess::slot);
  CHECK(ended[0].end_ticks == before);
  CHECK(ended[0].earliest_end_ticks == before);
  CHECK(ended[1].end_ticks == slots[1].reaped_ticks);
  CHECK(ended[1].status.signal == SIGKILL);
  CHECK(ended[1].earliest_end_ticks < before);
  CHECK(ended[2].end_ticks > after);
  CHECK(ended[2].earliest_end_ticks < before);
}

TEST_CASE("moments that cannot be true are not believed") {
  collector::SharedSegment segment(0);
  segment::ProcessSlot* slots = segment.header()->processes;
  ProcessWatch watch(segment.header());
  const pid_t pid = start_sleeper();
  register_process(segment.header(), 0, pid);
  slots[0].reaped_ticks = 1;
  slots[0].end_ticks = UINT64_MAX;
  watch.update();
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  const uint64_t after = platform::read_ticks();
  const auto ended = wait_for_end(watch);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].end_ticks > after);
  CHECK(ended[0].end_ticks <= platform::read_ticks());
}

TEST_CASE("what no program makes of a slot is nobody's") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  segment::ProcessSlot* slots = segment.header()->processes;
  for (uint32_t i = 0; i < 3; ++i) register_process(segment.header(), i, getpid() + 1);
  register_process(segment.header(), 3, getpid());  // the collector itself
  slots[0].process = 0;
  slots[1].birth_ticks = 1;
  slots[2].birth_ticks = UINT64_MAX;
  CHECK(watch.update().empty());
  CHECK(watch.living().empty());
  CHECK(watch.processes_seen() == 0);
}

TEST_CASE("the status of a zombie is known however long its parent takes") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  const pid_t pid = start_sleeper();
  register_process(segment.header(), 0, pid);
  watch.update();
  kill(pid, SIGTERM);
  const auto ended = wait_for_end(watch);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].status.signal == SIGTERM);
  waitpid(pid, nullptr, 0);
}

TEST_CASE("a slot that names the machine's first process keeps nobody waiting") {
  // Who is not root, or root without rights over others, cannot read what it has mapped.
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  register_process(segment.header(), 9, 1);
  segment.header()->processes[9].pid_namespace = 0;
  watch.update();
  watch.drop_strangers(segment.inode());
  CHECK_FALSE(watch.any_alive());
  CHECK(wait_for_end(watch).size() == 1);
}

TEST_CASE(
    "whose program we started knows that nobody older takes part, whatever it seems to hold") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  watch.set_child(getpid() + 1);
  register_process(segment.header(), 9, 1);
  segment.header()->processes[9].pid_namespace = 0;
  segment.header()->chunk_words[0].store(segment::chunk_word(segment::kOwned, 9));
  watch.update();
  watch.drop_strangers(segment.inode());
  CHECK_FALSE(watch.any_alive());
}

TEST_CASE("a slot that names a process of somebody else's keeps nobody waiting") {
  collector::SharedSegment segment(0);
  ProcessWatch watch(segment.header());
  const pid_t stranger = fork();
  if (stranger == 0) {
    munmap(segment.header(), segment::initial_bytes());
    pause();
    _exit(0);
  }
  const pid_t member = start_sleeper();  // has the segment, as a forked child
  register_process(segment.header(), 0, stranger);
  register_process(segment.header(), 1, member);
  usleep(20'000);
  watch.update();
  CHECK(watch.living().size() == 2);
  watch.drop_strangers(segment.inode());
  const auto ended = wait_for_end(watch);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].slot == 0);
  CHECK(watch.is_tracked(member));
  for (const pid_t pid : {stranger, member}) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}
