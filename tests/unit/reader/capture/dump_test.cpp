#include "reader/capture/dump.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::testing::CaptureBytes;
using memlens::testing::TemporaryFile;

TEST_CASE("dump gives nodes their ids, process by process") {
  CaptureBytes capture;
  testing::MetadataBytes first;
  const uint32_t outer = first.add_python_node(0, 1, 2);
  first.add_native_node(outer, 0x1234);
  testing::MetadataBytes second;
  second.add_label_node(0, "[label]");
  const uint32_t above = second.add_native_node(1, 0x10);
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, first.take());
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 2}, second.take());
  first.add_python_node(outer, 1, 4);
  second.add_python_node(above, 1, 0);
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1, .sequence = 1},
                    first.take());
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 2, .sequence = 1},
                    second.take());
  capture.add_trailer(CaptureBytes::kStartTicks + 1000);
  const TemporaryFile file(capture.bytes());
  std::vector<std::string> lines;
  reader::for_each_record(reader::Capture::open(file.path()), [&](const reader::DumpRecord& r) {
    if (r.type.find("node") == std::string_view::npos) return;
    lines.push_back(std::to_string(r.process) + " " + std::string(r.text));
  });
  CHECK(lines == std::vector<std::string>{
                     "1 id=1 parent=0 code=1 instruction=2", "1 id=2 parent=1 address=0x1234",
                     "2 id=1 parent=0 label=\"[label]\"", "2 id=2 parent=1 address=0x10",
                     "1 id=3 parent=1 code=1 instruction=4",
                     "2 id=3 parent=2 code=1 instruction=0"});
}

TEST_CASE("dump names every record in the order of the file") {
  CaptureBytes capture;
  testing::MetadataBytes metadata;
  metadata.add_string("a \"quoted\"\nname");
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  testing::EventBytes events(/*shared=*/true);
  events.allocate(format::AllocationKind::kCalloc, 0x1000, 24, 7, 5);
  events.time(500);
  events.free(0x1000, 5);
  events.undo();
  capture.add_frame({.kind = format::FrameKind::kEvents,
                     .process = 1,
                     .thread = 2,
                     .ticks = CaptureBytes::kStartTicks,
                     .order_epoch = 3,
                     .shared_order = true},
                    events.payload());
  capture.add_clock(CaptureBytes::kStartTicks + 1000);
  capture.add_trailer(CaptureBytes::kStartTicks + 1000);
  const TemporaryFile file(capture.bytes());
  std::vector<std::string> lines;
  reader::for_each_record(reader::Capture::open(file.path()), [&](const reader::DumpRecord& r) {
    if (r.type != "frame") lines.push_back(std::string(r.type) + " " + std::string(r.text));
  });
  REQUIRE(lines.size() == 8);
  CHECK(lines[0] == "string id=1 total_bytes=15 offset=0 part=\"a \\\"quoted\\\"\\x0aname\"");
  CHECK(lines[1] ==
        "allocate address=0x1000 bytes=24 node=7 function=calloc stamp=5 seconds=0.000000000");
  CHECK(lines[2] == "time ticks=1000500 seconds=0.000000500");
  CHECK(lines[3] == "free address=0x1000 stamp=5 seconds=0.000000500");
  CHECK(lines[4] == "undo seconds=0.000000500");
  CHECK(lines[5] == "clock ticks=1000000 monotonic_ns=5000000000");
  CHECK(lines[7].rfind("trailer json=", 0) == 0);
}
