#include "reader/capture/capture.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "reader/capture/symbols_payload.h"
#include "reader/file/error.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::format::FrameKind;
using memlens::reader::Capture;
using memlens::reader::CaptureError;
using memlens::reader::FrameOrigin;
using memlens::testing::CaptureBytes;
using memlens::testing::MetadataBytes;
using memlens::testing::TemporaryFile;

namespace {

constexpr uint64_t kStart = CaptureBytes::kStartTicks;
constexpr uint64_t kSecond = 1'000'000'000;

struct Nodes {
  uint32_t module_level = 0, function = 0, native = 0, label = 0, unresolved = 0;
};

CaptureBytes small_capture(Nodes& nodes) {
  CaptureBytes capture;
  capture.add_session(
      R"({"command":["python3","app.py"],"cwd":"/srv","hostname":"box","memlens":"0.1.0",)"
      R"("options":{"native":true,"python_allocators":true,"follow":true},"page_bytes":4096})");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart + kSecond,
                       "/usr/bin/python3", {"python3", "app.py"});
  metadata.add_thread(1, 41, kStart + kSecond, "main");
  metadata.add_thread(2, 42, kStart + 2 * kSecond, "worker");
  metadata.add_thread(1, 41, kStart + 3 * kSecond, "renamed");
  metadata.add_python(11, "3.11.7 (main, Jan 1 2024) [GCC]");
  metadata.add_diagnostic(format::DiagnosticCode::kOther, "mind the gap");
  metadata.add_module(0x400000, 0x401000, 0x500000, "/opt/lib/libthing.so");
  // co_lnotab: offset 6 is line +1, offset 10 is line +3.
  const std::string lnotab("\x06\x01\x04\x02", 4);
  const uint32_t outer =
      metadata.add_code("app.py", "<module>", 1, "", format::LineTableFormat::kNone);
  const uint32_t inner =
      metadata.add_code("app.py", "Cache.fill", 10, lnotab, format::LineTableFormat::kLnotab);
  nodes.module_level = metadata.add_python_node(0, outer, 0);
  nodes.function = metadata.add_python_node(nodes.module_level, inner, 8 + 1);
  nodes.native = metadata.add_native_node(nodes.function, 0x401234);
  nodes.label = metadata.add_label_node(nodes.function, "[unwinding failed]");
  nodes.unresolved = metadata.add_native_node(nodes.native, 0x402000);
  capture.add_frame({.kind = FrameKind::kMetadata, .process = 1, .ticks = kStart, .compress = true},
                    metadata.take());
  reader::SymbolsEncoder symbols;
  const reader::SymbolsEncoder::Frame frames[] = {{"inlined", "_Z7inlinedv", "thing.cc", 7},
                                                  {"thing", "", "thing.cc", 20}};
  symbols.add_address(0x401234, "/opt/lib/libthing.so", frames);
  capture.add_frame({.kind = FrameKind::kSymbols, .process = 1}, symbols.finish());
  std::string source;
  testing::append_varint(source, 2);
  testing::append_string(source, "app.py");
  testing::append_varint(source, 11);
  testing::append_string(source, "        self.rows.append(row)");
  testing::append_string(source, "thing.cc");
  testing::append_varint(source, 20);
  testing::append_string(source, "  inlined();  ");
  capture.add_frame({.kind = FrameKind::kSource}, source);
  std::string memory;
  testing::append_varint(memory, kStart + 2 * kSecond);
  testing::append_varint(memory, 1);
  testing::append_varint(memory, 1 << 20);
  capture.add_frame({.kind = FrameKind::kMemory}, memory);
  capture.add_frame({.kind = static_cast<FrameKind>(999), .process = 1}, "from the future");
  capture.add_clock(kStart + 4 * kSecond);
  capture.add_process_end(1, 41, kStart + 5 * kSecond, 3);
  capture.add_trailer(kStart + 6 * kSecond);
  return capture;
}

std::string error_of(const std::string& bytes) {
  const TemporaryFile file(bytes);
  try {
    Capture::open(file.path());
  } catch (const CaptureError& error) {
    const std::string what = error.what();
    CHECK(what.find(file.path() + ": ") == 0);
    CHECK(what.find('\n') == std::string::npos);
    return what.substr(file.path().size() + 2);
  }
  return "";
}

}  // namespace

TEST_CASE("an opened capture says what was run") {
  Nodes nodes;
  const TemporaryFile file(small_capture(nodes).bytes());
  const Capture capture = Capture::open(file.path());
  const reader::CaptureInfo& info = capture.info();
  CHECK(info.complete);
  CHECK(info.ending == "finished");
  CHECK(info.command == std::vector<std::string>{"python3", "app.py"});
  CHECK(info.working_directory == "/srv");
  CHECK(info.hostname == "box");
  CHECK(info.recorded_by == "0.1.0");
  CHECK(info.native_stacks);
  CHECK(info.python_allocators);
  CHECK(info.python == "3.11.7");
  CHECK(info.duration_seconds == doctest::Approx(6));
  CHECK(info.start_unix_ns == 1'700'000'000'000'000'000);
  REQUIRE(info.processes.size() == 1);
  CHECK(info.processes[0].pid == 41);
  CHECK(info.processes[0].command == std::vector<std::string>{"python3", "app.py"});
  CHECK(info.processes[0].start_seconds == doctest::Approx(1));
  CHECK(*info.processes[0].end_seconds == doctest::Approx(5));
  CHECK(info.processes[0].exit_code == 3);
  CHECK_FALSE(info.processes[0].signal.has_value());
  REQUIRE(info.threads.size() == 2);
  CHECK(info.threads[0].name == "renamed");
  CHECK(info.threads[0].start_seconds == doctest::Approx(1));
  CHECK(info.threads[1].tid == 42);
  REQUIRE(info.diagnostics.size() == 1);
  CHECK(info.diagnostics[0].text == "mind the gap");
  REQUIRE(capture.resident_samples().size() == 1);
  CHECK(capture.resident_samples()[0].bytes == 1 << 20);
  CHECK(capture.resident_samples()[0].seconds == doctest::Approx(2));
}

TEST_CASE("a stack is read innermost first, with inlined frames, lines and source") {
  Nodes nodes;
  const TemporaryFile file(small_capture(nodes).bytes());
  const Capture capture = Capture::open(file.path());
  const auto frames = capture.frames(1, nodes.native, true);
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].function == "inlined");
  CHECK(frames[0].linkage_name == "_Z7inlinedv");
  CHECK(frames[0].line == 7);
  CHECK(frames[0].origin == FrameOrigin::kNative);
  CHECK(frames[1].function == "thing");
  CHECK(frames[1].file == "thing.cc");
  CHECK(frames[1].module == "/opt/lib/libthing.so");
  CHECK(frames[1].source == "inlined();");
  CHECK(frames[2].function == "Cache.fill");
  CHECK(frames[2].file == "app.py");
  CHECK(frames[2].line == 11);
  CHECK(frames[2].source == "self.rows.append(row)");
  CHECK(frames[2].origin == FrameOrigin::kPython);
  CHECK(frames[3].function == "<module>");
  CHECK(frames[3].line == 1);
}

TEST_CASE("without native frames a stack keeps its Python and label frames") {
  Nodes nodes;
  const TemporaryFile file(small_capture(nodes).bytes());
  const Capture capture = Capture::open(file.path());
  const auto frames = capture.frames(1, nodes.native, false);
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].function == "Cache.fill");
  const auto labelled = capture.frames(1, nodes.label, false);
  REQUIRE(labelled.size() == 3);
  CHECK(labelled[0].function == "[unwinding failed]");
  CHECK(labelled[0].origin == FrameOrigin::kLabel);
}

TEST_CASE("an address without symbols is named by its module, a stack is never empty") {
  Nodes nodes;
  const TemporaryFile file(small_capture(nodes).bytes());
  const Capture capture = Capture::open(file.path());
  const auto frames = capture.frames(1, nodes.unresolved, true);
  CHECK(frames[0].function == "libthing.so+0x2000");
  CHECK(frames[0].module == "/opt/lib/libthing.so");
  for (const bool native : {false, true}) {
    for (const uint32_t node : {0u, 77u, 0xffffffffu}) {
      for (const uint32_t process : {0u, 1u, 9u}) {
        const auto fallback = capture.frames(process, node, native);
        REQUIRE(fallback.size() == 1);
        CHECK_FALSE(fallback[0].function.empty());
        CHECK(fallback[0].origin == FrameOrigin::kLabel);
      }
    }
  }
}

TEST_CASE("a string that comes in parts is put together") {
  CaptureBytes bytes;
  MetadataBytes metadata;
  const std::string name(1000, 'n');
  const uint32_t file_id = metadata.add_string("f.py");
  const uint32_t name_id = metadata.add_string(name, 7);
  std::string code;
  for (const uint64_t field : {1u, file_id, name_id, 1u, 0u, 0u})
    testing::append_varint(code, field);
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kCode), code);
  const uint32_t node = metadata.add_python_node(0, 1, 0);
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  const TemporaryFile file(bytes.bytes());
  CHECK(Capture::open(file.path()).frames(1, node, false)[0].function == name);
}

TEST_CASE("a capture cut anywhere is interrupted, and what is whole before the cut is read") {
  Nodes nodes;
  const CaptureBytes whole = small_capture(nodes);
  const std::string& bytes = whole.bytes();
  for (size_t length = 64; length < bytes.size(); ++length) {
    const TemporaryFile file(bytes.substr(0, length));
    const Capture capture = Capture::open(file.path());
    CHECK_FALSE(capture.info().complete);
    CHECK(capture.info().ending == "interrupted");
    if (length >= whole.frame_offsets()[2]) CHECK(capture.info().processes.size() == 1);
  }
}

TEST_CASE("what is not a capture is refused by name") {
  Nodes nodes;
  const std::string bytes = small_capture(nodes).bytes();
  CHECK(error_of("") == "the file is empty");
  CHECK(error_of("#!/bin/sh\necho") == "at byte 0: this is not a memlens capture");
  CHECK(error_of(bytes.substr(0, 40)) ==
        "at byte 40: the file ends inside its header: nothing was recorded");
  std::string newer = bytes;
  newer[8] = 3;
  CHECK(error_of(newer).find("capture format version 3.") != std::string::npos);
  CHECK(error_of(newer).find(", this memlens reads up to 2.x") != std::string::npos);
  CHECK_THROWS_AS(Capture::open("/nonexistent/file.mlens"), CaptureError);
  CHECK_THROWS_AS(Capture::open("/tmp"), CaptureError);
}

TEST_CASE("damage names the frame it is in") {
  Nodes nodes;
  const CaptureBytes whole = small_capture(nodes);
  std::string header = whole.bytes();
  header[whole.frame_offsets()[1] + 5] ^= 1;
  CHECK(error_of(header).find("at byte " + std::to_string(whole.frame_offsets()[1]) +
                              ": damaged") == 0);
  std::string payload = whole.bytes();
  payload[whole.frame_offsets()[1] + 70] ^= 1;
  CHECK(error_of(payload).find("at byte " + std::to_string(whole.frame_offsets()[1]) +
                               ": damaged: the payload's checksum") == 0);
}

TEST_CASE("a later minor version's records and longer bodies are skipped") {
  CaptureBytes bytes;
  MetadataBytes metadata;
  metadata.add_record(200, "whatever this is");
  std::string thread;
  for (const uint64_t field : {1u, 77u, 5u}) testing::append_varint(thread, field);
  testing::append_string(thread, "name");
  thread += "more fields";
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kThread), thread);
  bytes.add_frame({.kind = FrameKind::kMetadata, .process = 1}, metadata.take());
  const TemporaryFile file(bytes.bytes());
  const Capture capture = Capture::open(file.path());
  REQUIRE(capture.info().threads.size() == 1);
  CHECK(capture.info().threads[0].tid == 77);
}
