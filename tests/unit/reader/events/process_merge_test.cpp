#include "reader/events/process_merge.h"

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "reader/capture/capture_impl.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/history.h"
#include "tests/support/random_history.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::reader::Event;
using memlens::reader::EventType;
using memlens::testing::Action;
using memlens::testing::TemporaryFile;

namespace {

// (thread, address) of each event in the order they were merged.
using Order = std::vector<std::pair<uint32_t, uint64_t>>;

struct Recorder {
  void set_time(uint64_t) {}
  bool finished() const { return false; }
  void set_order_exact(bool) {}
  void end_stream(uint32_t) {}
  void prefetch(uint32_t, const Event*, const Event*) {}
  const Event* apply_run(uint32_t stream, const Event* begin, const Event* end) {
    while (begin != end && !reader::is_control(begin->type)) apply(stream, *begin++);
    return begin;
  }
  bool try_apply(uint32_t stream, const Event& event) {
    if (event.type == EventType::kFree && live.count(event.address) == 0) return false;
    apply(stream, event);
    return true;
  }
  void apply(uint32_t stream, const Event& event) {
    order.emplace_back(stream + 1, event.address);
    if (event.type == EventType::kFree) {
      live.erase(event.address);
    } else if (event.type != EventType::kUndo) {
      live.insert(event.address);
    }
  }

  std::set<uint64_t> live;
  Order order;
};

// Streams are numbered as threads are, from 0; returns how many events were forced.
uint64_t merge(const std::string& bytes, Recorder& recorder, size_t threads = 1) {
  const TemporaryFile file(bytes);
  const reader::Capture capture = reader::Capture::open(file.path());
  const reader::Capture::Impl& impl = capture.impl();
  reader::ChunkQueue queue(impl.source, threads);
  reader::ProcessMerge<Recorder> merge(recorder);
  for (const reader::EventStream& stream : impl.index.streams) {
    merge.add_stream(
        std::make_unique<reader::StreamCursor>(impl.source, stream, queue, stream.thread - 1));
  }
  CHECK_FALSE(merge.run_until(UINT64_MAX));
  return merge.forced_events();
}

Order true_order(const std::vector<testing::HistoryEvent>& history) {
  Order order;
  for (const testing::HistoryEvent& event : history)
    order.emplace_back(event.thread, event.action == Action::kUndo ? 0 : event.address);
  return order;
}

}  // namespace

TEST_CASE("owner epochs give the true order without any time") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const auto history =
        testing::random_history({.threads = 6, .mappings = false, .thread_run = 2}, seed);
    Recorder recorder;
    CHECK(merge(testing::write_history(history, {.events_per_time = 100'000, .shuffle_seed = seed}),
                recorder) == 0);
    CHECK(recorder.order == true_order(history));
  }
}

TEST_CASE("shared epochs give the true order where times are fine, and force nothing where not") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (const size_t events_per_chunk : {1, 40}) {
      const auto history = testing::random_history(
          {.threads = 6, .mappings = false, .undos = false, .unmatched_frees = false}, seed);
      testing::WritingOptions writing{
          .shared_epochs = true, .events_per_epoch = 30, .events_per_chunk = events_per_chunk};
      Recorder fine;
      CHECK(merge(testing::write_history(history, writing), fine) == 0);
      CHECK(fine.order == true_order(history));
      writing.events_per_time = 100'000;
      Recorder coarse;
      CHECK(merge(testing::write_history(history, writing), coarse) == 0);
      CHECK(coarse.order.size() == history.size());
    }
  }
}

TEST_CASE("a stamp that never comes holds up nobody for good") {
  testing::CaptureBytes capture;
  for (const uint32_t thread : {1u, 2u}) {
    testing::EventBytes events(/*shared=*/true);
    // The counter of this shard never gets to 5: whoever incremented it is not in the capture.
    events.allocate(format::AllocationKind::kMalloc, 0x1000 * thread, 16, 1, 5);
    events.free(0x1000 * thread, 5 + thread);
    capture.add_frame({.kind = format::FrameKind::kEvents,
                       .process = 1,
                       .thread = thread,
                       .ticks = testing::CaptureBytes::kStartTicks + thread,
                       .order_epoch = 2,
                       .shared_order = true},
                      events.payload());
  }
  Recorder recorder;
  CHECK(merge(capture.bytes(), recorder) > 0);
  CHECK(recorder.order.size() == 4);
  CHECK(recorder.live.empty());
}

TEST_CASE("hundreds of short threads in one shared epoch are merged in order") {
  std::vector<testing::HistoryEvent> history;
  for (uint32_t thread = 1; thread <= 300; ++thread) {
    const uint64_t address = 0x10000 + 64 * uint64_t{thread};
    history.push_back({Action::kAllocate, 1, thread, address, 32, 1});
    if (thread > 1) history.push_back({Action::kFree, 1, thread, address - 64});
  }
  Recorder recorder;
  CHECK(merge(testing::write_history(history, {.shared_epochs = true, .events_per_epoch = 0}),
              recorder) == 0);
  CHECK(recorder.order == true_order(history));
  CHECK(recorder.live.size() == 1);
}

TEST_CASE("the order does not depend on who decodes the chunks") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    // Times are coarse and frees unmatched, so that the merge has to look far ahead.
    const auto history = testing::random_history({.events = 3000, .threads = 5}, seed);
    const std::string bytes = testing::write_history(
        history, {.shared_epochs = true, .events_per_time = 200, .events_per_chunk = 70});
    Recorder here;
    const uint64_t forced = merge(bytes, here, 0);
    for (const size_t threads : {1, 3}) {
      Recorder ahead;
      CHECK(merge(bytes, ahead, threads) == forced);
      CHECK(ahead.order == here.order);
    }
  }
}
