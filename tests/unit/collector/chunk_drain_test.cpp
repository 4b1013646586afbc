#include "interposer/collector/chunk_drain.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "interposer/collector/shared_segment.h"
#include "interposer/segment/futex.h"
#include "tests/unit/collector/capture_frames.h"
#include "tests/unit/collector/fake_producer.h"

using namespace memlens;
using format::FrameKind;

namespace {

struct Fixture {
  Fixture() : writer(dup(fd)) { writer.write_header(1, {}); }
  ~Fixture() { close(fd); }

  segment::SegmentHeader* shared() { return segment.header(); }
  int fill(FrameKind kind, uint32_t slot, uint32_t process, uint32_t thread, uint32_t sequence,
           const std::string& payload) {
    const int chunk = testing::claim(shared(), slot);
    REQUIRE(chunk >= 0);
    testing::describe(shared(), chunk, kind, process, thread, sequence);
    testing::commit(shared(), chunk, payload);
    return chunk;
  }

  int fd = testing::make_capture_file();
  collector::SharedSegment segment{0};
  collector::CaptureWriter writer;
  collector::ChunkDrain drain{segment.header(), writer};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a full chunk is written and freed, an owned one left alone") {
  const int full = fill(FrameKind::kEvents, 0, 1, 2, 9, "events");
  const int owned = fill(FrameKind::kEvents, 0, 1, 3, 0, "more");
  testing::hand_over(shared(), full, 0);
  CHECK(drain.drain() == 1);
  CHECK(testing::state_of(shared(), full) == segment::kFree);
  CHECK(segment::chunk_at(shared(), static_cast<uint32_t>(full))->committed == 0);
  CHECK(testing::state_of(shared(), owned) == segment::kOwned);
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload == "events");
  CHECK(frames[0].header.thread == 2);
  CHECK(frames[0].header.sequence == 9);
}

TEST_CASE_FIXTURE(Fixture, "definitions reach the file before the events that need them") {
  // The events' chunk comes first in the scan; the definitions' chunk is not even full.
  const int events = fill(FrameKind::kEvents, 0, 1, 1, 0, "events");
  const int definitions = fill(FrameKind::kMetadata, 0, 1, 0, 0, "first");
  testing::hand_over(shared(), events, 0);
  drain.drain();
  testing::commit(shared(), definitions, "second");
  const int more = fill(FrameKind::kEvents, 0, 1, 1, 1, "more");
  testing::hand_over(shared(), more, 0);
  drain.drain();
  testing::commit(shared(), definitions, "third");
  testing::hand_over(shared(), definitions, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 5);
  const char* expected[] = {"first", "events", "second", "more", "third"};
  for (size_t i = 0; i < 5; ++i) CHECK(frames[i].payload == expected[i]);
  // One stream, numbered without gaps, whatever chunks it came in.
  CHECK(frames[0].header.sequence == 0);
  CHECK(frames[2].header.sequence == 1);
  CHECK(frames[4].header.sequence == 2);
}

TEST_CASE_FIXTURE(Fixture, "definitions of a process without events are not cut into pieces") {
  fill(FrameKind::kMetadata, 0, 1, 0, 0, "definitions");
  drain.drain();
  CHECK(testing::read_frames(fd).empty());
}

TEST_CASE_FIXTURE(Fixture, "a process's metadata chunks are written in their order") {
  const int later = fill(FrameKind::kMetadata, 0, 1, 0, 1, "later");
  const int earlier = fill(FrameKind::kMetadata, 0, 1, 0, 0, "earlier");
  testing::hand_over(shared(), later, 0);
  testing::hand_over(shared(), earlier, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].payload == "earlier");
  CHECK(frames[1].payload == "later");
}

TEST_CASE_FIXTURE(Fixture, "what a dead process committed is written, and all its chunks freed") {
  const int metadata = fill(FrameKind::kMetadata, 4, 1, 0, 0, "definitions");
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
  CHECK(frames[0].payload == "definitions");
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
  segment::chunk_at(shared(), static_cast<uint32_t>(chunk))->committed = 0xfffffff0;
  testing::hand_over(shared(), chunk, 0);
  drain.drain();
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].payload.size() == segment::kChunkPayloadBytes);
}

TEST_CASE_FIXTURE(Fixture, "threads that hand over faster than the pool is wide lose nothing") {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kChunks = 2000;
  std::atomic<uint32_t> done{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kChunks; ++i) {
        int chunk;
        for (;;) {
          const uint32_t seen = shared()->freed_sequence;
          shared()->producers_wait = 1;
          if ((chunk = testing::claim(shared(), t)) >= 0) break;
          segment::wake_collector(shared());
          segment::futex_wait(shared()->freed_sequence, seen, 50'000'000);
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
