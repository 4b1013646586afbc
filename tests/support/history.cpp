#include "tests/support/history.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "tests/support/capture_bytes.h"

namespace memlens::testing {

using format::FrameKind;

namespace {

constexpr uint64_t kTicksPerEvent = 1000;

// The order epochs of one process, as its threads would have agreed on them.
struct Order {
  uint64_t epoch = 1;
  bool shared = false;
  uint32_t owner = 0;
  size_t events = 0;  // since the last change between owner and shared
  std::map<unsigned, uint32_t> counters;
};

// A thread's chunk that is being filled.
struct Chunk {
  FrameFields fields;
  EventBytes events;
  size_t event_count = 0;
};

class Writer {
 public:
  explicit Writer(const WritingOptions& options) : options_(options) {}

  std::string write(const std::vector<HistoryEvent>& history) {
    auto look = options_.looks.begin();
    for (size_t i = 0; i < history.size(); ++i) {
      for (; look != options_.looks.end() && *look == i; ++look) write_so_far(history_ticks(i));
      add(history[i], history_ticks(i));
    }
    for (auto& [key, thread] : threads_) close_chunk(thread);
    const uint64_t end_ticks = history_ticks(history.size());
    CaptureBytes capture;
    capture.add_session(R"({"command":["history"],"options":{"native":false}})");
    capture.add_clock(end_ticks);
    for (auto& [process, metadata] : metadata_) {
      capture.add_frame({.kind = FrameKind::kMetadata, .process = process}, metadata.take());
    }
    if (options_.shuffle_seed != 0) {
      std::mt19937_64 random(options_.shuffle_seed);
      std::shuffle(frames_.begin(), frames_.end(), random);
    }
    for (const auto& [fields, payload] : frames_) capture.add_frame(fields, payload);
    for (const auto& [process, ticks] : ends_)
      capture.add_process_end(process, 1000 + static_cast<int>(process), ticks, 0);
    capture.add_trailer(end_ticks);
    return capture.bytes();
  }

 private:
  struct Thread {
    std::unique_ptr<Chunk> chunk;
    uint32_t sequence = 0;
    uint64_t epoch = 0;  // it last wrote
    uint64_t last_ticks = 0;
    size_t events = 0;
    bool must_tell_time = false;  // somebody has looked
  };

  void write_so_far(uint64_t ticks) {
    for (auto& [key, thread] : threads_) {
      thread.must_tell_time = true;
      if (thread.chunk == nullptr) continue;
      FrameFields fields = thread.chunk->fields;
      fields.kind = FrameKind::kUnfinishedEvents;
      frames_.emplace_back(fields, thread.chunk->events.payload());
    }
    frames_.emplace_back(FrameFields{.kind = FrameKind::kSoFar, .ticks = ticks}, "");
  }

  void add(const HistoryEvent& event, uint64_t ticks) {
    describe(event, ticks);
    if (event.action == Action::kProcessEnd) {
      ends_[event.process] = ticks;
      return;
    }
    Order& order = orders_[event.process];
    // An undo belongs to the free before it, in whatever epoch that was.
    if (event.action != Action::kUndo) advance_order(order, event.thread);
    Thread& thread = threads_[{event.process, event.thread}];
    if (thread.chunk == nullptr) {
      thread.chunk = std::make_unique<Chunk>(Chunk{{.kind = FrameKind::kEvents,
                                                    .process = event.process,
                                                    .thread = event.thread,
                                                    .sequence = thread.sequence++,
                                                    .ticks = ticks,
                                                    .order_epoch = order.epoch,
                                                    .shared_order = order.shared,
                                                    .compress = options_.compress},
                                                   EventBytes(order.shared)});
      thread.epoch = order.epoch;
      thread.last_ticks = ticks;
    }
    EventBytes& events = thread.chunk->events;
    if (thread.epoch != order.epoch) {
      events.epoch(order.epoch, order.shared);
      thread.epoch = order.epoch;
    }
    const bool due = thread.events++ % options_.events_per_time == 0 || thread.must_tell_time;
    thread.must_tell_time = false;
    if (due && ticks != thread.last_ticks) {
      events.time(ticks - thread.last_ticks);
      thread.last_ticks = ticks;
    }
    encode(event, order, events);
    if (++thread.chunk->event_count >= options_.events_per_chunk) close_chunk(thread);
  }

  void describe(const HistoryEvent& event, uint64_t ticks) {
    MetadataBytes& metadata = metadata_[event.process];
    if (known_processes_.insert(event.process).second) {
      metadata.add_process(
          1000 + static_cast<int32_t>(event.process), 1, 0,
          event.process == 1 ? format::ProcessOrigin::kStart : format::ProcessOrigin::kFork, ticks,
          "/bin/history", {"history"});
    }
    if (known_threads_.insert({event.process, event.thread}).second) {
      metadata.add_thread(event.thread, static_cast<int32_t>(100 * event.process + event.thread),
                          ticks, "");
    }
  }

  void advance_order(Order& order, uint32_t thread) {
    if (options_.shared_epochs && ++order.events > options_.events_per_epoch) {
      order.events = 0;
      order.shared = !order.shared;
      order.owner = 0;
      if (order.shared) {
        ++order.epoch;
        order.counters.clear();
      }
    }
    if (!order.shared && order.owner != thread) {
      order.owner = thread;
      ++order.epoch;
    }
  }

  void encode(const HistoryEvent& event, Order& order, EventBytes& events) {
    uint32_t& counter = order.counters[format::shard_of(event.address)];
    uint32_t& map_counter = order.counters[format::kMappingShard];
    switch (event.action) {
      case Action::kAllocate:
        events.allocate(event.kind, event.address, event.size_bytes, event.node, counter);
        break;
      case Action::kFree:
        events.free(event.address, counter++);
        break;
      case Action::kUndo:
        events.undo();
        break;
      case Action::kMap:
        events.map(event.kind, event.address, event.size_bytes, event.node, map_counter);
        break;
      case Action::kUnmap:
        events.unmap(event.address, event.size_bytes, map_counter++);
        break;
      case Action::kShutdown:
        events.shutdown(event.size_bytes != 0);
        break;
      case Action::kPoolAllocate:
        events.pool_allocate(event.pool, event.kind, event.address, event.size_bytes, event.node,
                             order.counters[format::shard_of_pool(event.pool)]++);
        break;
      case Action::kPoolFree:
        events.pool_free(event.pool, event.address,
                         order.counters[format::shard_of_pool(event.pool)]++);
        break;
      case Action::kPoolReset:
        events.pool_reset(event.pool, order.counters[format::shard_of_pool(event.pool)]++);
        break;
      case Action::kProcessEnd:
        break;
    }
  }

  void close_chunk(Thread& thread) {
    if (thread.chunk == nullptr) return;
    frames_.emplace_back(thread.chunk->fields, thread.chunk->events.payload());
    thread.chunk.reset();
  }

  const WritingOptions& options_;
  std::map<uint32_t, Order> orders_;
  std::map<std::pair<uint32_t, uint32_t>, Thread> threads_;
  std::map<uint32_t, MetadataBytes> metadata_;
  std::map<uint32_t, uint64_t> ends_;
  std::set<uint32_t> known_processes_;
  std::set<std::pair<uint32_t, uint32_t>> known_threads_;
  std::vector<std::pair<FrameFields, std::string>> frames_;
};

}  // namespace

uint64_t history_ticks(size_t position) {
  return CaptureBytes::kStartTicks + (position + 1) * kTicksPerEvent;
}

double history_seconds(size_t position) {
  return static_cast<double>((position + 1) * kTicksPerEvent) * 1e-9;
}

std::string write_history(const std::vector<HistoryEvent>& history, const WritingOptions& options) {
  return Writer(options).write(history);
}

}  // namespace memlens::testing
