#include "interposer/collector/chunk_drain.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "interposer/collector/shared_segment.h"
#include "interposer/platform/futex.h"
#include "interposer/segment/collector_life.h"
#include "tests/unit/collector/capture_frames.h"
#include "tests/unit/collector/fake_producer.h"

using namespace memlens;
using format::FrameKind;

namespace {

// A metadata record of the last type there is, with this text for a body.
std::string record(const std::string& text) {
  return std::string{static_cast<char>(0x7f), static_cast<char>(text.size())} + text;
}

struct Fixture {
  Fixture() : writer(dup(fd)) { writer.write_header(1, {}); }
  ~Fixture() { close(fd); }

  segment::SegmentHeader* shared() { return segment.header(); }
  int fill(FrameKind kind, uint32_t slot, uint32_t process, uint32_t thread, uint32_t sequence,
           const std::string& payload) {
    testing::own_slot(shared(), slot, process);
    const int chunk = testing::claim(shared(), slot);
    REQUIRE(chunk >= 0);
    testing::describe(shared(), chunk, kind, process, thread, sequence);
    testing::commit(shared(), chunk, payload);
    return chunk;
  }

  int fd = testing::make_capture_file();
  collector::SharedSegment segment{0};
  collector::CaptureWriter writer;
  collector::ChunkDrain drain{segment, writer};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a full chunk is written and freed, an owned one left alone") {
  const int full = fill(FrameKind::kEvents, 0, 1, 2, 9, "events");
  const int owned = fill(FrameKind::kEvents, 0, 1, 3, 0, "more");
  testing::hand_over(shared(), full, 0);
  CHECK(drain.drain() == 1);
  CHECK(testing::state_of(shared(), full) == segment::kFree);
  CHECK(testing::chunk_at(shared(), full)->committed == 0);
  CHECK(testing::state_of(shared(), owned) == segment::kOwned);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload == "events");
  CHECK(frames[0].header.thread == 2);
  CHECK(frames[0].header.sequence == 9);
}

TEST_CASE_FIXTURE(Fixture, "a thread's chunks are written in the order they were filled") {
  const int first = fill(FrameKind::kEvents, 0, 1, 1, 1, "later");
  const int second = fill(FrameKind::kEvents, 0, 1, 1, 0, "earlier");
  REQUIRE(first < second);
  testing::hand_over(shared(), second, 0);
  testing::hand_over(shared(), first, 0);
  CHECK(drain.drain() == 2);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == "earlier");
  CHECK(frames[1].payload == "later");
}

TEST_CASE_FIXTURE(Fixture, "definitions reach the file before the events that need them") {
  // The events' chunk comes first in the scan; the definitions' chunk is not even full.
  const int events = fill(FrameKind::kEvents, 0, 1, 1, 0, "events");
  const int definitions = fill(FrameKind::kMetadata, 0, 1, 0, 0, record("first"));
  testing::hand_over(shared(), events, 0);
  drain.drain();
  testing::commit(shared(), definitions, record("second"));
  const int more = fill(FrameKind::kEvents, 0, 1, 1, 1, "more");
  testing::hand_over(shared(), more, 0);
  drain.drain();
  testing::commit(shared(), definitions, record("third"));
  testing::hand_over(shared(), definitions, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 5);
  const std::string expected[] = {record("first"), "events", record("second"), "more",
                                  record("third")};
  for (size_t i = 0; i < 5; ++i) CHECK(frames[i].payload == expected[i]);
  // One stream, numbered without gaps, whatever chunks it came in.
  CHECK(frames[0].header.sequence == 0);
  CHECK(frames[2].header.sequence == 1);
  CHECK(frames[4].header.sequence == 2);
}

TEST_CASE_FIXTURE(Fixture, "definitions of a process without events are not cut into pieces") {
  fill(FrameKind::kMetadata, 0, 1, 0, 0, record("definitions"));
  drain.drain();
  CHECK(testing::read_frames(fd).empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "who looks gets what unfinished chunks hold, once, and they stay as they are") {
  fill(FrameKind::kMetadata, 0, 1, 0, 0, record("definitions"));
  const int full = fill(FrameKind::kEvents, 0, 1, 2, 0, "handed over");
  const int owned = fill(FrameKind::kEvents, 0, 1, 3, 7, "more");
  testing::hand_over(shared(), full, 0);
  drain.drain_so_far();
  drain.drain_so_far();  // nothing is new
  CHECK(testing::state_of(shared(), full) == segment::kFree);
  CHECK(testing::state_of(shared(), owned) == segment::kOwned);
  testing::commit(shared(), owned, " and more");
  drain.drain_so_far();
  testing::hand_over(shared(), owned, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 5);
  CHECK(frames[0].payload == record("definitions"));
  CHECK(frames[1].kind() == FrameKind::kEvents);
  CHECK(frames[1].payload == "handed over");
  CHECK(frames[2].kind() == FrameKind::kUnfinishedEvents);
  CHECK(frames[2].payload == "more");
  CHECK(frames[2].header.sequence == 7);
  CHECK(frames[3].kind() == FrameKind::kUnfinishedEvents);
  CHECK(frames[3].payload == "more and more");
  CHECK(frames[4].kind() == FrameKind::kEvents);
  CHECK(frames[4].payload == "more and more");
  CHECK(frames[4].header.thread == 3);
}

TEST_CASE_FIXTURE(Fixture, "a process's metadata chunks are written in their order") {
  const int later = fill(FrameKind::kMetadata, 0, 1, 0, 1, record("later"));
  const int earlier = fill(FrameKind::kMetadata, 0, 1, 0, 0, record("earlier"));
  testing::hand_over(shared(), later, 0);
  testing::hand_over(shared(), earlier, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == record("earlier"));
  CHECK(frames[1].payload == record("later"));
}

TEST_CASE_FIXTURE(Fixture, "what a dead process committed is written, and all its chunks freed") {
  const int metadata = fill(FrameKind::kMetadata, 4, 1, 0, 0, record("definitions"));
  const int events = fill(FrameKind::kEvents, 4, 1, 1, 0, "torn off");
  const int untouched = testing::claim(shared(), 4);
  const int other = fill(FrameKind::kEvents, 5, 2, 1, 0, "alive");
  drain.drain_dead(4);
  for (const int chunk : {metadata, events, untouched}) {
    CHECK(testing::state_of(shared(), chunk) == segment::kFree);
  }
  CHECK(testing::state_of(shared(), other) == segment::kOwned);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == record("definitions"));
  CHECK(frames[1].payload == "torn off");
}

TEST_CASE_FIXTURE(Fixture,
                  "the end writes what living programs committed and frees nothing of it") {
  const int events = fill(FrameKind::kEvents, 0, 1, 1, 0, "events");
  drain.drain_rest();
  CHECK(testing::state_of(shared(), events) == segment::kOwned);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload == "events");
}

TEST_CASE_FIXTURE(Fixture, "the pool grows while programs hold more than half, and shrinks again") {
  const uint32_t initial = shared()->active_chunks;
  std::vector<int> held;
  testing::own_slot(shared(), 0, 1);
  for (uint32_t i = 0; i < initial / 2 + 1; ++i) held.push_back(testing::claim(shared(), 0));
  drain.drain();
  CHECK(shared()->active_chunks == initial * 2);
  for (const int chunk : held) {
    shared()->chunk_words[chunk].store(segment::chunk_word(segment::kFree, 0));
  }
  for (int i = 0; i < 1000; ++i) drain.drain();
  CHECK(shared()->active_chunks == initial);
}

TEST_CASE_FIXTURE(Fixture, "a length that a program damaged is not believed") {
  const int chunk = fill(FrameKind::kEvents, 0, 1, 1, 0, "events");
  testing::chunk_at(shared(), chunk)->committed = 0xfffffff0;
  testing::hand_over(shared(), chunk, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload.size() == segment::kChunkPayloadBytes);
}

TEST_CASE_FIXTURE(Fixture,
                  "a chunk whose header contradicts what is known is left out and counted") {
  using Damage = void (*)(segment::ChunkHeader*);
  const Damage damages[] = {
      [](segment::ChunkHeader* chunk) { chunk->process = 77; },  // not the slot's
      [](segment::ChunkHeader* chunk) { chunk->process = 0; },
      [](segment::ChunkHeader* chunk) { chunk->kind = 9; },
      [](segment::ChunkHeader* chunk) { chunk->thread = 0; },
      [](segment::ChunkHeader* chunk) { chunk->ticks = 5; },
      [](segment::ChunkHeader* chunk) { chunk->ticks = UINT64_MAX; },
      [](segment::ChunkHeader* chunk) { chunk->order_epoch = UINT64_MAX; },
      [](segment::ChunkHeader* chunk) { chunk->shared_order = 2; },
  };
  for (const Damage damage : damages) {
    const int chunk = fill(FrameKind::kEvents, 0, 1, 1, 0, "events");
    damage(testing::chunk_at(shared(), chunk));
    testing::hand_over(shared(), chunk, 0);
  }
  CHECK(drain.drain() == std::size(damages));
  CHECK(drain.damaged_chunks() == std::size(damages));
  CHECK(testing::read_frames(fd).empty());
}

TEST_CASE_FIXTURE(Fixture, "a write over a process's slot takes no chunk with it") {
  const int first = fill(FrameKind::kEvents, 0, 1, 1, 0, "before");
  testing::hand_over(shared(), first, 0);
  drain.drain();
  const int second = fill(FrameKind::kEvents, 0, 1, 1, 1, "after");
  shared()->processes[0].process = 4711;
  testing::hand_over(shared(), second, 0);
  drain.drain();
  CHECK(drain.damaged_chunks() == 0);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].payload == "after");
  // The next process with that slot says so itself.
  testing::hand_over(shared(), fill(FrameKind::kEvents, 0, 2, 1, 0, "another's"), 0);
  drain.drain();
  CHECK(testing::read_frames(fd).size() == 3);
}

TEST_CASE_FIXTURE(Fixture,
                  "where definitions stop making sense the rest of their chunk is left out") {
  const int first = fill(FrameKind::kMetadata, 0, 1, 0, 0, record("good") + "\x05\x7fshort");
  drain.drain_rest();
  // Nobody knows where a record begins that is committed to it later.
  testing::chunk_at(shared(), first)->committed += 3;
  testing::hand_over(shared(), first, 0);
  const int second = fill(FrameKind::kMetadata, 0, 1, 0, 1, record("after"));
  testing::hand_over(shared(), second, 0);
  CHECK(drain.drain() == 2);
  CHECK(drain.damaged_chunks() == 1);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == record("good"));
  CHECK(frames[1].payload == record("after"));
}

TEST_CASE_FIXTURE(Fixture, "state words that no program makes are made free again") {
  shared()->chunk_words[3] = 5;                                               // no such state
  shared()->chunk_words[4] = segment::chunk_word(segment::kOwned, 1u << 20);  // no such slot
  shared()->chunk_words[5] = segment::chunk_word(segment::kFull, 0) | 1u << 31;
  drain.drain();
  for (const int chunk : {3, 4, 5}) CHECK(testing::state_of(shared(), chunk) == segment::kFree);
  CHECK(drain.damaged_chunks() == 3);
}

TEST_CASE_FIXTURE(Fixture,
                  "headers that change while chunks are sorted end nothing but their own") {
  constexpr uint32_t kRounds = 300'000;
  std::atomic<uint32_t> rounds{0};
  for (uint32_t slot = 0; slot < 4; ++slot) testing::own_slot(shared(), slot, slot + 1);
  std::thread vandal([&] {
    for (uint32_t x = 1; rounds++ < kRounds; x = x * 1664525 + 1013904223) {
      segment::ChunkHeader* chunk = testing::chunk_at(shared(), static_cast<int>(x >> 26));
      chunk->process = (x >> 8) & 3;
      chunk->sequence = (x >> 12) & 15;
      chunk->kind = static_cast<uint16_t>(FrameKind::kMetadata);
      chunk->committed = x & 0xff;
      shared()->chunk_words[x >> 26] = segment::chunk_word(segment::kFull, (x >> 8) & 3);
    }
  });
  while (rounds < kRounds) drain.drain();
  vandal.join();
  CHECK(drain.damaged_chunks() > 0);
}

TEST_CASE_FIXTURE(Fixture, "threads that hand over faster than the pool is wide lose nothing") {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kChunks = 2000;
  std::atomic<uint32_t> done{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    testing::own_slot(shared(), t, 1);
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kChunks; ++i) {
        int chunk;
        for (;;) {
          const uint32_t seen = shared()->freed_sequence;
          shared()->producers_wait = 1;
          if ((chunk = testing::claim(shared(), t)) >= 0) break;
          segment::wake_collector(shared());
          platform::futex_wait(shared()->freed_sequence, seen, 50'000'000);
        }
        testing::describe(shared(), chunk, FrameKind::kEvents, 1, t + 1, i);
        testing::commit(shared(), chunk, std::to_string(t) + ":" + std::to_string(i));
        testing::hand_over(shared(), chunk, t);
      }
      ++done;
    });
  }
  while (done != kThreads) {
    drain.drain();
    drain.sleep(10'000'000);
  }
  for (std::thread& thread : threads) thread.join();
  drain.drain();
  std::map<uint32_t, uint32_t> next;
  for (const auto& frame : testing::read_frames(fd)) {
    const uint32_t thread = frame.header.thread;
    const uint32_t sequence = frame.header.sequence;
    CHECK(frame.payload == std::to_string(thread - 1) + ":" + std::to_string(sequence));
    ++next[thread];
  }
  for (uint32_t t = 1; t <= kThreads; ++t) CHECK(next[t] == kChunks);
}
