// What the interposer's encoder writes, the reader's decoder reads.

#include "reader/events/event_decoder.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "interposer/record/event_encoder.h"
#include "tests/support/capture_bytes.h"

using namespace memlens;
using format::AllocationKind;
using interposer::EventEncoder;
using reader::Event;
using reader::EventType;

namespace {

struct Written {
  bool allocation;
  uint64_t address;
  uint64_t size_bytes = 0;
  uint32_t node = 0;
  AllocationKind kind{};
};

std::vector<Event> decode(std::string_view payload, uint16_t flags = format::kFrameByClass) {
  reader::PayloadBuffer buffer;
  std::memcpy(buffer.resize(payload.size()), payload.data(), payload.size());
  reader::FrameRef frame;
  frame.flags = flags;
  reader::EventDecoder decoder;
  decoder.start(buffer, frame);
  std::vector<Event> events;
  Event batch[64];
  while (const size_t count = decoder.decode(batch, 64)) {
    events.insert(events.end(), batch, batch + count);
  }
  return events;
}

void check_same(const std::vector<Event>& events, const std::vector<Written>& written) {
  REQUIRE(events.size() == written.size());
  for (size_t i = 0; i < events.size(); ++i) {
    CAPTURE(i);
    REQUIRE((events[i].type != EventType::kFree) == written[i].allocation);
    REQUIRE(events[i].address == written[i].address);
    if (!written[i].allocation) continue;
    REQUIRE(events[i].size_bytes == written[i].size_bytes);
    REQUIRE(events[i].node == written[i].node);
    REQUIRE(events[i].kind == written[i].kind);
  }
}

// A program: mostly small blocks of both layers, from lists of freed ones and from runs, some at
// addresses and of sizes that only the long forms can say.
std::vector<Written> program(uint64_t seed, size_t events) {
  std::mt19937_64 random(seed);
  std::vector<Written> written;
  std::vector<Written> live;
  std::vector<std::vector<uint64_t>> freed(64);
  uint64_t top = 0x7f1234560000;
  while (written.size() < events) {
    if (!live.empty() && random() % 100 < 48) {
      // The newest, as a rule.
      const size_t which = random() % 4 != 0 ? live.size() - 1 : random() % live.size();
      written.push_back({false, live[which].address});
      freed[live[which].size_bytes / 16 % 64].push_back(live[which].address);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    Written block{true, 0};
    block.kind = static_cast<AllocationKind>(random() % format::kAllocationKindCount);
    block.size_bytes = random() % 8 == 0 ? random() % 5000 : random() % 600;
    block.node = 1 + static_cast<uint32_t>(random() % 40);
    std::vector<uint64_t>& list = freed[block.size_bytes / 16 % 64];
    if (!list.empty() && random() % 8 != 0) {
      block.address = list.back();
      list.pop_back();
    } else {
      block.address = top;
      top += (block.size_bytes / 16 + 1) * 16;
    }
    if (random() % 500 == 0) block.address += 8;
    if (random() % 500 == 0) block.address |= uint64_t{1} << 55;
    if (random() % 500 == 0) block.size_bytes = uint64_t{5} << 32;
    live.push_back(block);
    written.push_back(block);
  }
  return written;
}

}  // namespace

TEST_CASE("the decoder reads what the encoder wrote") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    const std::vector<Written> written = program(seed, 12'000);
    const auto encoder = std::make_unique<EventEncoder>();
    // Twice: what a chunk leaves behind must not matter to the next.
    for (int chunk = 0; chunk < 2; ++chunk) {
      std::vector<uint8_t> bytes(written.size() * format::kMaxEventBytes);
      encoder->start_chunk();
      uint8_t* out = bytes.data();
      for (const Written& event : written) {
        uint8_t* const before = out;
        out = event.allocation ? encoder->encode_allocation(out, event.kind, event.address,
                                                            event.size_bytes, event.node, false, 0)
                               : encoder->encode_free(out, event.address, false, 0);
        REQUIRE(out - before <= format::kMaxEventBytes);
      }
      check_same(decode({reinterpret_cast<const char*>(bytes.data()),
                         static_cast<size_t>(out - bytes.data())}),
                 written);
    }
  }
}

TEST_CASE("the decoder reads what the document's own encoder wrote") {
  const std::vector<Written> written = program(5, 5'000);
  testing::EventBytes bytes;
  for (const Written& event : written) {
    if (event.allocation) {
      bytes.allocate(event.kind, event.address, event.size_bytes, event.node);
    } else {
      bytes.free(event.address);
    }
  }
  check_same(decode(bytes.payload()), written);
}

TEST_CASE("addresses that a size class predicts take no bytes") {
  const auto encoder = std::make_unique<EventEncoder>();
  uint8_t bytes[3 * format::kMaxEventBytes];
  encoder->start_chunk();
  const auto allocate = [&](uint8_t* out, AllocationKind kind, uint64_t address) {
    return encoder->encode_allocation(out, kind, address, 40, 1, false, 0);
  };
  constexpr AllocationKind kMalloc = AllocationKind::kMalloc;
  constexpr AllocationKind kPython = AllocationKind::kPyObjectMalloc;
  for (const auto& [kind, other] : {std::pair(kMalloc, kPython), std::pair(kPython, kMalloc)}) {
    uint8_t* out = allocate(bytes, kind, 0x7f0000001000);
    out = allocate(out, other, 0x7f00ff000000);
    uint8_t* const before = out;
    // A tag and a slot: 48 bytes on.
    CHECK(allocate(out, kind, 0x7f0000001030) - before == 2);
  }
}

TEST_CASE("in captures of version 1 every address is counted from the last") {
  // Two allocations of different classes: malloc(16) at 0x1000, PyObject_Malloc(48) 32 bytes on.
  const std::string_view payload("\x01\x00\x10\x02\x80\x04\x51\x0f\x30\x00", 10);
  const std::vector<Event> events = decode(payload, 0);
  REQUIRE(events.size() == 2);
  CHECK(events[0].address == 0x1000);
  CHECK(events[1].address == 0x1020);
  CHECK(events[1].size_bytes == 48);
  // The same bytes today: the second is the first of its class.
  CHECK(decode(payload)[1].address == 0x20);
}
