// Writes a capture of as many events as asked, for measuring the reader:
//
//   memlens_synthetic_capture FILE EVENTS LIVE_BLOCKS NODES
//
// One thread; blocks of 48 sizes at random from NODES stacks, about LIVE_BLOCKS alive at once, most
// dying young. Encoded by the interposer's own encoder, compressed as the collector does.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "interposer/event_encoder.h"
#include "tests/support/capture_bytes.h"

namespace {

using namespace memlens;

constexpr size_t kChunkBytes = 64 * 1024 - 64;
constexpr uint32_t kTicksPerEvent = 50;

class Synthesizer {
 public:
  Synthesizer(const char* path, uint64_t live_blocks, uint32_t nodes)
      : out_(path, std::ios::binary | std::ios::trunc),
        live_blocks_(live_blocks),
        nodes_(nodes),
        encoder_(static_cast<interposer::EventEncoder*>(
            std::calloc(1, sizeof(interposer::EventEncoder)))),
        chunk_(kChunkBytes) {
    out_ << file_.bytes();
    testing::MetadataBytes metadata;
    metadata.add_process(1, 0, 0, format::ProcessOrigin::kStart, testing::CaptureBytes::kStartTicks,
                         "/bin/synthetic", {"synthetic"});
    metadata.add_thread(1, 1, testing::CaptureBytes::kStartTicks, "main");
    const uint32_t code =
        metadata.add_code("s.py", "function", 1, "", format::LineTableFormat::kNone);
    for (uint32_t node = 0; node < nodes; ++node) metadata.add_python_node(0, code, node);
    write({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
    open_chunk();
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
    close_chunk();
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

  void open_chunk() {
    encoder_->start_chunk();
    cursor_ = chunk_.data();
    chunk_ticks_ = last_time_ = ticks_;
    next_time_at_ = cursor_ + 1024;
  }

  void close_chunk() {
    write({.kind = format::FrameKind::kEvents,
           .process = 1,
           .thread = 1,
           .sequence = sequence_++,
           .ticks = chunk_ticks_,
           .order_epoch = 1},
          {reinterpret_cast<const char*>(chunk_.data()),
           static_cast<size_t>(cursor_ - chunk_.data())});
  }

  void make_room() {
    ticks_ += kTicksPerEvent;
    if (cursor_ + 3 * format::kMaxEventBytes > chunk_.data() + chunk_.size()) {
      close_chunk();
      open_chunk();
    }
    if (cursor_ >= next_time_at_) {
      cursor_ = interposer::EventEncoder::encode_time(cursor_, ticks_ - last_time_);
      last_time_ = ticks_;
      next_time_at_ = cursor_ + 1024;
    }
  }

  void allocate() {
    make_room();
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
    cursor_ = encoder_->encode_allocation(cursor_, format::AllocationKind::kPyObjectMalloc, address,
                                          16 * (size_class + 1), node, false, 0);
    alive_.push_back({address, size_class});
  }

  void free(size_t index) {
    make_room();
    const Block block = alive_[index];
    cursor_ = encoder_->encode_free(cursor_, block.address, false, 0);
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
  interposer::EventEncoder* encoder_;
  std::vector<uint8_t> chunk_;
  uint8_t* cursor_ = nullptr;
  uint8_t* next_time_at_ = nullptr;
  uint64_t chunk_ticks_ = 0;
  uint64_t last_time_ = 0;
  uint64_t ticks_ = testing::CaptureBytes::kStartTicks;
  uint32_t sequence_ = 0;
  uint64_t state_ = 88172645463325252ull;
  uint64_t top_ = 0x7f0000000000;
  std::vector<Block> alive_;
  std::vector<uint64_t> free_lists_[48];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: memlens_synthetic_capture FILE EVENTS LIVE_BLOCKS NODES\n");
    return 2;
  }
  Synthesizer synthesizer(argv[1], std::strtoull(argv[3], nullptr, 10),
                          static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10)));
  if (!synthesizer.run(std::strtoull(argv[2], nullptr, 10))) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[1]);
    return 1;
  }
  return 0;
}
