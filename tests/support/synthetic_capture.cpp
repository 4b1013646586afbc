// Writes a capture of as many events as asked, for measuring the reader:
//
//   memlens_synthetic_capture FILE EVENTS LIVE_BLOCKS NODES [THREADS]
//
// Blocks of 48 sizes at random from NODES stacks, about LIVE_BLOCKS alive at once, most dying
// young. Several threads take turns of a few dozen events in one shared epoch, and free each
// other's blocks. Encoded by the interposer's own encoder, compressed as the collector does.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "interposer/record/event_encoder.h"
#include "tests/support/capture_bytes.h"

namespace {

using namespace memlens;

constexpr size_t kChunkBytes = 64 * 1024 - 64;
constexpr size_t kTimeBytes = 1024;
constexpr uint32_t kTicksPerEvent = 50;

class Synthesizer {
 public:
  Synthesizer(const char* path, uint64_t live_blocks, uint32_t nodes, uint32_t threads)
      : out_(path, std::ios::binary | std::ios::trunc),
        live_blocks_(live_blocks),
        nodes_(nodes),
        shared_(threads > 1),
        threads_(threads) {
    out_ << file_.bytes();
    testing::MetadataBytes metadata;
    metadata.add_process(1, 0, 0, format::ProcessOrigin::kStart, testing::CaptureBytes::kStartTicks,
                         "/bin/synthetic", {"synthetic"});
    for (uint32_t thread = 1; thread <= threads; ++thread) {
      metadata.add_thread(thread, static_cast<int32_t>(thread), testing::CaptureBytes::kStartTicks,
                          thread == 1 ? "main" : "worker");
    }
    const uint32_t code =
        metadata.add_code("s.py", "function", 1, "", format::LineTableFormat::kNone);
    for (uint32_t node = 0; node < nodes; ++node) metadata.add_python_node(0, code, node);
    write({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
    for (Thread& thread : threads_) open_chunk(thread);
  }

  bool run(uint64_t events) {
    // A cache that never dies, and a heap of blocks whose youngest die first.
    for (uint64_t i = 0; i < live_blocks_ && i < events / 2; ++i) allocate();
    for (uint64_t i = live_blocks_; i < events; ++i) {
      const uint64_t dice = random() % 16;
      if (dice < 8 || alive_.size() < live_blocks_ / 2) {
        allocate();
      } else {
        const uint64_t age = dice < 14 ? random() % 8 : random() % alive_.size();
        free(alive_.size() - 1 - std::min<uint64_t>(age, alive_.size() - 1));
      }
    }
    for (Thread& thread : threads_) close_chunk(thread);
    testing::CaptureBytes end;
    const size_t header_bytes = end.bytes().size();
    end.add_clock(ticks_);
    end.add_trailer(ticks_);
    out_ << end.bytes().substr(header_bytes);
    return static_cast<bool>(out_.flush());
  }

 private:
  uint64_t random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

  void write(testing::FrameFields fields, std::string_view payload) {
    testing::CaptureBytes one;
    const size_t header_bytes = one.bytes().size();
    fields.compress = true;
    one.add_frame(fields, payload);
    out_ << one.bytes().substr(header_bytes);
  }

  // A thread and its chunk.
  struct Thread {
    // Trivial, and made for zeroed memory.
    interposer::EventEncoder* encoder =
        static_cast<interposer::EventEncoder*>(std::calloc(1, sizeof(interposer::EventEncoder)));
    std::vector<uint8_t> chunk = std::vector<uint8_t>(kChunkBytes);
    uint8_t* cursor = nullptr;
    uint8_t* next_time_at = nullptr;
    uint64_t chunk_ticks = 0;
    uint64_t last_time = 0;
    uint32_t sequence = 0;
  };

  void open_chunk(Thread& thread) {
    thread.encoder->start_chunk();
    thread.cursor = thread.chunk.data();
    thread.chunk_ticks = thread.last_time = ticks_;
    thread.next_time_at = thread.cursor + kTimeBytes;
  }

  void close_chunk(Thread& thread) {
    write({.kind = format::FrameKind::kEvents,
           .process = 1,
           .thread = static_cast<uint32_t>(&thread - threads_.data()) + 1,
           .sequence = thread.sequence++,
           .ticks = thread.chunk_ticks,
           .order_epoch = 1,
           .shared_order = shared_},
          {reinterpret_cast<const char*>(thread.chunk.data()),
           static_cast<size_t>(thread.cursor - thread.chunk.data())});
  }

  // The thread that makes the next event, with room for it.
  Thread& next_thread() {
    if (shared_ && random() % 32 == 0) running_ = random() % threads_.size();
    Thread& thread = threads_[running_];
    ticks_ += kTicksPerEvent;
    if (thread.cursor + 3 * format::kMaxEventBytes > thread.chunk.data() + thread.chunk.size()) {
      close_chunk(thread);
      open_chunk(thread);
    }
    if (thread.cursor >= thread.next_time_at) {
      thread.cursor =
          interposer::EventEncoder::encode_time(thread.cursor, ticks_ - thread.last_time);
      thread.last_time = ticks_;
      thread.next_time_at = thread.cursor + kTimeBytes;
    }
    return thread;
  }

  void allocate() {
    Thread& thread = next_thread();
    uint64_t address;
    const uint64_t size_class = random() % 48;
    std::vector<uint64_t>& free_list = free_lists_[size_class];
    if (!free_list.empty()) {
      address = free_list.back();
      free_list.pop_back();
    } else {
      address = top_;
      top_ += 16 * (size_class + 1);
    }
    // A program has a few hot stacks and many cold ones.
    const uint64_t spread = random() % 8 == 0 ? nodes_ : std::min(nodes_, 64u);
    const auto node = static_cast<uint32_t>(1 + random() % spread);
    thread.cursor = thread.encoder->encode_allocation(
        thread.cursor, format::AllocationKind::kPyObjectMalloc, address, 16 * (size_class + 1),
        node, shared_, counters_[format::shard_of(address)]);
    alive_.push_back({address, size_class});
  }

  void free(size_t index) {
    Thread& thread = next_thread();
    const Block block = alive_[index];
    thread.cursor = thread.encoder->encode_free(thread.cursor, block.address, shared_,
                                                counters_[format::shard_of(block.address)]++);
    free_lists_[block.size_class].push_back(block.address);
    alive_[index] = alive_.back();
    alive_.pop_back();
  }

  struct Block {
    uint64_t address;
    uint64_t size_class;
  };

  std::ofstream out_;
  testing::CaptureBytes file_;
  uint64_t live_blocks_;
  uint32_t nodes_;
  bool shared_;
  std::vector<Thread> threads_;
  size_t running_ = 0;
  uint32_t counters_[format::kAddressShards] = {};
  uint64_t ticks_ = testing::CaptureBytes::kStartTicks;
  uint64_t state_ = 88172645463325252ull;
  uint64_t top_ = 0x7f0000000000;
  std::vector<Block> alive_;
  std::vector<uint64_t> free_lists_[48];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::fprintf(stderr,
                 "usage: memlens_synthetic_capture FILE EVENTS LIVE_BLOCKS NODES [THREADS]\n");
    return 2;
  }
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
  const auto threads = argc == 6 ? static_cast<uint32_t>(number(5)) : 1;
  Synthesizer synthesizer(argv[1], number(3), static_cast<uint32_t>(number(4)), threads);
  if (!synthesizer.run(number(2))) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[1]);
    return 1;
  }
  return 0;
}
