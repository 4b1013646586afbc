// Nonsense under checksums that are right: what it is in is left out and told, the rest is read.

#include "reader/capture/left_out_text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "reader/file/error.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::format::AllocationKind;
using memlens::format::FrameKind;
using memlens::reader::Analysis;
using memlens::reader::Capture;
using memlens::reader::LeftOut;
using memlens::reader::LeftOutKind;
using memlens::testing::CaptureBytes;
using memlens::testing::EventBytes;
using memlens::testing::MetadataBytes;
using memlens::testing::TemporaryFile;

namespace {

constexpr uint64_t kLeftOutStart = CaptureBytes::kStartTicks;

// `count` blocks of ten bytes, allocated and kept.
std::string kept_blocks(uint64_t first_address, int count) {
  EventBytes events;
  for (int i = 0; i < count; ++i)
    events.allocate(AllocationKind::kMalloc, first_address + 32 * static_cast<uint64_t>(i), 10, 1);
  return events.payload();
}

struct Chunk {
  uint32_t thread = 1;
  uint32_t sequence = 0;
  std::string payload;
  uint64_t order_epoch = 1;
  uint64_t ticks = kLeftOutStart + 1000;
};

std::string capture_of(const std::vector<Chunk>& chunks) {
  CaptureBytes capture;
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kLeftOutStart, "/bin/p", {"p"});
  metadata.add_thread(1, 41, kLeftOutStart, "main");
  metadata.add_thread(2, 42, kLeftOutStart, "worker");
  metadata.add_native_node(0, 0x1000);
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  for (const Chunk& chunk : chunks) {
    capture.add_frame({.kind = FrameKind::kEvents,
                       .process = 1,
                       .thread = chunk.thread,
                       .sequence = chunk.sequence,
                       .ticks = chunk.ticks,
                       .order_epoch = chunk.order_epoch},
                      chunk.payload);
  }
  capture.add_clock(kLeftOutStart + 1'000'000'000);
  capture.add_trailer(kLeftOutStart + 1'000'000'000);
  return capture.bytes();
}

struct Read {
  explicit Read(const std::string& bytes)
      : file(bytes), capture(Capture::open(file.path())), analysis(analyze(capture, {})) {}
  TemporaryFile file;
  Capture capture;
  Analysis analysis;
};

}  // namespace

TEST_CASE("a block of events that makes no sense is left out, those before and after are not") {
  const std::string nonsense = kept_blocks(0x500000, 7) + "\x02 no such operation";
  const Read read(capture_of({{1, 0, kept_blocks(0x1000, 3)},
                              {1, 1, nonsense},
                              {1, 2, kept_blocks(0x9000, 4)},
                              {2, 0, kept_blocks(0x20000, 5), 2}}));
  CHECK(read.analysis.totals.allocations == 3 + 4 + 5);
  CHECK(read.analysis.totals.leaked_bytes == 10 * (3 + 4 + 5));
  REQUIRE(read.analysis.left_out.size() == 1);
  const LeftOut& left_out = read.analysis.left_out[0];
  CHECK(left_out.kind == LeftOutKind::kEvents);
  CHECK(left_out.thread_index == 1);
  CHECK(left_out.count == 1);
  const std::string text = describe(left_out, read.capture.info());
  CHECK(text.find("1 block of events of thread 41 (main) of process 41 makes no sense and is left "
                  "out (the first at byte ") == 0);
  CHECK(text.find("an operation no version has") != std::string::npos);
  // Again, also on the same capture: the answer does not depend on how far somebody had decoded.
  CHECK(analyze(read.capture, {}) == read.analysis);
}

TEST_CASE("a stream of nothing but nonsense leaves the others whole") {
  const Read read(capture_of({{1, 0, kept_blocks(0x1000, 3)},
                              {2, 0, std::string("\x15\x05", 2)},
                              {2, 1, std::string("\xff\xff\xff", 3)}}));
  CHECK(read.analysis.totals.allocations == 3);
  REQUIRE(read.analysis.left_out.size() == 1);
  CHECK(read.analysis.left_out[0].count == 2);
  CHECK(read.capture.info().threads.size() == 2);
}

TEST_CASE("of blocks whose order contradicts, the odd one is left out") {
  const Read high(capture_of({{1, 0, kept_blocks(0x1000, 1), 1},
                              {1, 1, kept_blocks(0x2000, 2), uint64_t{1} << 60},
                              {1, 2, kept_blocks(0x3000, 4), 2},
                              {1, 3, kept_blocks(0x4000, 8), 3}}));
  CHECK(high.analysis.totals.allocations == 1 + 4 + 8);
  const Read low(capture_of({{1, 0, kept_blocks(0x1000, 1), 5},
                             {1, 1, kept_blocks(0x2000, 2), 0},
                             {1, 2, kept_blocks(0x3000, 4), 6}}));
  CHECK(low.analysis.totals.allocations == 1 + 4);
}

TEST_CASE("times after the recording's end make no sense and do not lengthen it") {
  EventBytes late;
  late.allocate(AllocationKind::kMalloc, 0x5000, 10, 1);
  late.time(uint64_t{1} << 62);
  const Read read(capture_of({{1, 0, kept_blocks(0x1000, 1)},
                              {1, 1, late.payload()},
                              {2, 0, kept_blocks(0x2000, 2), 1, uint64_t{1} << 63}}));
  CHECK(read.analysis.totals.allocations == 1);
  CHECK(read.analysis.left_out.size() == 2);
  CHECK(read.capture.info().duration_seconds < 2);
}

TEST_CASE("a second block of one number, and one of an impossible number, are left out") {
  const Read read(capture_of({{1, 0, kept_blocks(0x1000, 1)},
                              {1, 0, kept_blocks(0x2000, 2)},
                              {1, 1, kept_blocks(0x3000, 4)},
                              {1, 0x80000000u, kept_blocks(0x4000, 8)}}));
  CHECK(read.analysis.totals.allocations == 1 + 4);
  REQUIRE(read.capture.info().left_out.size() == 1);
  CHECK(read.capture.info().left_out[0].count == 2);
  CHECK(read.capture.info().diagnostics.empty());  // no two thousand million missing blocks
}

TEST_CASE("a record of metadata that makes no sense leaves the others their numbers") {
  CaptureBytes bytes;
  MetadataBytes metadata;
  const auto next_native = static_cast<uint8_t>(format::MetadataType::kNextNativeNode);
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kLabelNode),
                      std::string("\x01\x00\x05outer", 8));
  metadata.add_record(next_native, std::string("\x07\x00", 2));  // no such caller: node 2
  metadata.add_record(next_native, std::string("\x02\x55", 2));  // node 3, called by node 1
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kThread), "\x01\xff");
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  EventBytes events;
  events.allocate(AllocationKind::kMalloc, 0x1000, 10, 2);
  events.allocate(AllocationKind::kMalloc, 0x2000, 20, 3);
  bytes.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kLeftOutStart},
                  events.payload());
  bytes.add_trailer(kLeftOutStart + 1000);
  const Read read(bytes.bytes());
  REQUIRE(read.capture.info().left_out.size() == 1);
  CHECK(read.capture.info().left_out[0].kind == LeftOutKind::kMetadata);
  CHECK(read.capture.info().left_out[0].count == 2);
  CHECK(read.analysis.totals.allocated_bytes == 30);
  const auto frames = read.capture.frames(1, 3, true);
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].function == "outer");
  CHECK(read.capture.frames(1, 2, true)[0].origin == reader::FrameOrigin::kLabel);
}

TEST_CASE("stacks that are counted on from a lost place are unknown, not another's") {
  CaptureBytes bytes;
  MetadataBytes metadata;
  const auto next_native = static_cast<uint8_t>(format::MetadataType::kNextNativeNode);
  metadata.add_record(next_native, std::string("\x01\x11", 2));
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1, .sequence = 0}, metadata.take());
  metadata.add_record(next_native, std::string("\x01\x22", 2));
  // The length of the record's body reaches beyond the frame: how many nodes follow is not known.
  const std::string torn = metadata.take() + std::string("\x0e\x7f\x01", 3);
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1, .sequence = 1}, torn);
  metadata.add_record(next_native, std::string("\x01\x33", 2));
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kNativeNode),
                      std::string("\x09\x00\x44", 3));
  metadata.add_record(next_native, std::string("\x01\x55", 2));
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1, .sequence = 2}, metadata.take());
  bytes.add_trailer(kLeftOutStart + 1000);
  const Read read(bytes.bytes());
  const auto address_of = [&](uint32_t node) {
    return std::string(read.capture.frames(1, node, true)[0].function);
  };
  CHECK(address_of(2).find("22") != std::string::npos);
  CHECK(address_of(3).find("33") == std::string::npos);
  CHECK(address_of(9).find("44") != std::string::npos);
  CHECK(address_of(10).find("55") != std::string::npos);
}

TEST_CASE("thread and process numbers that the system refused to tell are unknown") {
  CaptureBytes bytes;
  MetadataBytes metadata;
  std::string thread("\x01", 1);
  testing::append_varint(thread, UINT64_MAX);
  testing::append_varint(thread, kLeftOutStart);
  testing::append_string(thread, "sandboxed");
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kThread), thread);
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  bytes.add_trailer(kLeftOutStart + 1000);
  const Read read(bytes.bytes());
  CHECK(read.capture.info().left_out.empty());
  REQUIRE(read.capture.info().threads.size() == 1);
  CHECK(read.capture.info().threads[0].tid == 0);
  CHECK(read.capture.info().threads[0].name == "sandboxed");
}

TEST_CASE("a frame of the collector's that makes no sense is left out") {
  CaptureBytes bytes;
  bytes.add_session("this is no JSON");
  bytes.add_frame({.kind = FrameKind::kSymbols, .process = 1}, "nor are these symbols");
  bytes.add_frame({.kind = FrameKind::kClock}, "\xff");
  bytes.add_frame({.kind = FrameKind::kSource}, "\xff\xff");
  bytes.add_frame({.kind = FrameKind::kMemory}, "\xff\xff");
  bytes.add_frame({.kind = FrameKind::kEvents, .process = 1, .thread = 1, .ticks = kLeftOutStart},
                  kept_blocks(0x1000, 3));
  bytes.add_trailer(kLeftOutStart + 1000);
  const Read read(bytes.bytes());
  CHECK(read.analysis.totals.allocations == 3);
  uint64_t left_out = 0;
  for (const LeftOut& entry : read.capture.info().left_out) left_out += entry.count;
  CHECK(left_out == 5);
}

TEST_CASE("what would take memory out of all proportion is refused") {
  const auto refused = [](FrameKind kind, const std::string& payload) {
    CaptureBytes bytes;
    for (int i = 0; i < 20; ++i)
      bytes.add_frame(
          {.kind = kind, .process = 1, .sequence = static_cast<uint32_t>(i), .compress = true},
          payload);
    const TemporaryFile file(bytes.bytes());
    REQUIRE(bytes.bytes().size() < 1'000'000);
    try {
      Capture::open(file.path());
    } catch (const reader::CaptureError& error) {
      return std::string(error.what()).find("out of all proportion") != std::string::npos;
    }
    return false;
  };
  std::string samples, source, threads, nodes;
  for (int i = 0; i < 1'000'000; ++i) {
    samples.append("\x01\x01\x01", 3);
    nodes.append("\x0e\x02\x01\x05", 4);
    threads.append("\x02\x04\x05\x01\x01\x00", 6);
  }
  testing::append_varint(source, 1'000'000);
  for (int i = 0; i < 1'000'000; ++i) source.append("\x01x\x01\x01y", 5);
  CHECK(refused(FrameKind::kMemory, samples));
  CHECK(refused(FrameKind::kSource, source));
  CHECK(refused(FrameKind::kMetadata, threads));
  CHECK(refused(FrameKind::kMetadata, nodes));
  std::string symbols;
  testing::append_varint(symbols, 4'000'000);
  symbols.append(4'000'002, '\0');
  CHECK(refused(FrameKind::kSymbols, symbols));
  CHECK(refused(FrameKind::kClock, std::string(20'000'000, '\x01')));
  CHECK_FALSE(refused(FrameKind::kClock, std::string(200'000, '\x01')));
}
