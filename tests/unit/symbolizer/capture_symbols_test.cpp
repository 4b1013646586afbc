#include "interposer/symbolizer/capture_symbols.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"
#include "tests/unit/symbolizer/sample_program.h"

using namespace memlens;
using namespace memlens::symbolizer;
using namespace memlens::reader;
using memlens::symbolizer::testing::SampleProgram;
using memlens::testing::append_string;
using memlens::testing::append_varint;
using memlens::testing::CaptureBytes;
using memlens::testing::MetadataBytes;
using memlens::testing::TemporaryFile;

namespace {

constexpr uint64_t kStart = CaptureBytes::kStartTicks;
constexpr uint64_t kBias = 0x7f0000000000;

void add_module(MetadataBytes& metadata, uint32_t id, uint64_t bias, const std::string& path,
                const std::string& build_id) {
  std::string body;
  for (uint64_t value : {uint64_t{id}, bias, bias, bias + 0x100000, kStart}) {
    append_varint(body, value);
  }
  append_string(body, path);
  append_string(body, build_id);
  metadata.add_record(static_cast<uint8_t>(format::MetadataType::kModule), body);
}

void add_session(CaptureBytes& capture, const std::string& directory) {
  capture.add_session(R"({"command":["app"],"cwd":")" + directory +
                      R"(","options":{"native":true},"page_bytes":4096})");
}

void add_metadata(CaptureBytes& capture, uint32_t process, MetadataBytes& metadata) {
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = process, .ticks = kStart},
                    metadata.take());
}

// Resolves an unfinished capture, appends what comes of it, and opens the result.
Capture finished(CaptureBytes capture, const CaptureSymbolsOptions& options,
                 CaptureSymbolsSummary& summary) {
  const TemporaryFile unfinished(capture.bytes());
  summary = resolve_capture(
      Capture::open(unfinished.path()), options,
      [&](format::FrameKind kind, uint32_t process, const std::string& payload) {
        capture.add_frame({.kind = kind, .process = process, .compress = true}, payload);
      });
  capture.add_trailer(kStart + 1000);
  const TemporaryFile file(capture.bytes());
  return Capture::open(file.path());
}

void set_modified(const std::string& path, time_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("native stacks of several processes are resolved into the capture") {
  const SampleProgram program("-g");
  CaptureBytes capture;
  add_session(capture, "/");
  uint32_t nodes[3];
  for (uint32_t process : {1u, 2u}) {
    // The second process has the library somewhere else.
    const uint64_t bias = kBias * process;
    MetadataBytes metadata;
    metadata.add_process(40 + static_cast<int32_t>(process), 1, 0, format::ProcessOrigin::kStart,
                         kStart, "/bin/app", {"app"});
    add_module(metadata, 1, bias, program.path(), program.build_id());
    nodes[0] = metadata.add_native_node(0, bias + program.address_of("plain"));
    nodes[1] = metadata.add_native_node(nodes[0], bias + program.address_of("inlined"));
    nodes[2] = metadata.add_native_node(nodes[1], 0x1000);
    add_metadata(capture, process, metadata);
  }
  CaptureSymbolsSummary summary;
  CaptureSymbolsOptions options;
  options.files.threads = 3;
  const Capture result = finished(capture, options, summary);
  CHECK(summary.addresses == 6);
  CHECK(summary.addresses_with_lines == 4);
  CHECK(summary.files == 1);
  CHECK(result.info().complete);
  for (uint32_t process : {1u, 2u}) {
    const std::vector<Frame> frames = result.frames(process, nodes[2], true);
    REQUIRE(frames.size() == 5);
    CHECK(frames[0].function == "[code outside any file]");
    CHECK(frames[1].function == "shapes::(anonymous namespace)::innermost");
    CHECK(frames[1].line == SampleProgram::line_of("inlined"));
    CHECK(frames[1].source == "MARK(inlined);  // inlined");
    CHECK(frames[3].function == "shapes::Square<int>::area");
    CHECK(frames[3].module == program.path());
    CHECK(frames[4].function == "plain_function");
    CHECK(frames[4].file == program.source_path());
  }
}

TEST_CASE("a library replaced during the run is named and told of, not guessed at") {
  const SampleProgram program("-g");
  CaptureBytes capture;
  add_session(capture, "/");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/app", {"app"});
  add_module(metadata, 1, kBias, program.path(), std::string(20, 'x'));
  const uint32_t node = metadata.add_native_node(0, kBias + 0x1234);
  add_metadata(capture, 1, metadata);
  CaptureSymbolsSummary summary;
  const Capture result = finished(capture, {}, summary);
  CHECK(result.frames(1, node, true).at(0).function == "libsample.so+0x1234");
  REQUIRE(result.info().diagnostics.size() == 1);
  CHECK(result.info().diagnostics[0].text.find("replaced") != std::string::npos);
}

TEST_CASE("the program without debug information is told of, libraries without are not") {
  const SampleProgram program("");
  for (const bool is_program : {true, false}) {
    CaptureBytes capture;
    add_session(capture, "/");
    MetadataBytes metadata;
    metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart,
                         is_program ? program.path() : "/bin/app", {"app"});
    add_module(metadata, 1, kBias, program.path(), program.build_id());
    metadata.add_native_node(0, kBias + program.address_of("plain"));
    add_metadata(capture, 1, metadata);
    CaptureSymbolsSummary summary;
    CHECK(finished(capture, {}, summary).info().diagnostics.size() == (is_program ? 1 : 0));
  }
}

TEST_CASE("the text of Python lines is stored, but not of files changed since") {
  const SampleProgram files("");
  const std::string script = (files.directory() / "app.py").string();
  const std::string changed = (files.directory() / "changed.py").string();
  std::ofstream(script) << "import os\n\n    data = [0] * 10   \n" << std::string(300, 'y') << "\n";
  std::ofstream(changed) << "one\ntwo\nthree\n";
  set_modified(script, 1);
  set_modified(changed, 4'000'000'000);

  CaptureBytes capture;
  add_session(capture, files.directory().string());
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/python", {"python"});
  std::vector<uint32_t> nodes;
  for (const char* file : {"app.py", "changed.py", "<string>", "/nowhere/at/all.py"}) {
    const uint32_t code = metadata.add_code(file, "f", 3, "", format::LineTableFormat::kNone);
    nodes.push_back(metadata.add_python_node(0, code, 0));
  }
  const uint32_t long_line = metadata.add_python_node(
      0, metadata.add_code("app.py", "g", 4, "", format::LineTableFormat::kNone), 0);
  const uint32_t past_end = metadata.add_python_node(
      0, metadata.add_code("app.py", "h", 99, "", format::LineTableFormat::kNone), 0);
  add_metadata(capture, 1, metadata);
  CaptureSymbolsSummary summary;
  const Capture result = finished(capture, {}, summary);
  CHECK(summary.source_lines == 2);
  CHECK(result.frames(1, nodes[0], true).at(0).source == "data = [0] * 10");
  for (size_t i = 1; i < nodes.size(); ++i) {
    CHECK(result.frames(1, nodes[i], true).at(0).source.empty());
  }
  CHECK(result.frames(1, long_line, true).at(0).source == std::string(200, 'y'));
  CHECK(result.frames(1, past_end, true).at(0).source.empty());

  CaptureSymbolsOptions options;
  options.source_text = false;
  CHECK(finished(capture, options, summary).frames(1, nodes[0], true).at(0).source.empty());
}

TEST_CASE("many addresses of one file are resolved in slices, as if in one") {
  const SampleProgram program("-g");
  CaptureBytes capture;
  add_session(capture, "/");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/app", {"app"});
  add_module(metadata, 1, kBias, program.path(), program.build_id());
  for (uint64_t offset = 0; offset < 9000; ++offset) metadata.add_native_node(0, kBias + offset);
  add_metadata(capture, 1, metadata);
  CaptureSymbolsSummary summary;
  CaptureSymbolsOptions one;
  one.files.threads = 1;
  CaptureSymbolsOptions several;
  several.files.threads = 4;
  size_t last_done = 0;
  size_t calls = 0;
  several.files.progress = [&](size_t done, size_t total) {
    CHECK(total == 9000);
    CHECK(done > last_done);
    last_done = done;
    ++calls;
  };
  const Capture a = finished(capture, one, summary);
  const Capture b = finished(capture, several, summary);
  CHECK(calls == 4);
  CHECK(last_done == 9000);
  size_t named = 0;
  for (uint32_t node = 1; node <= 9000; ++node) {
    const std::vector<Frame> x = a.frames(1, node, true);
    const std::vector<Frame> y = b.frames(1, node, true);
    REQUIRE(x.size() == y.size());
    for (size_t i = 0; i < x.size(); ++i) {
      REQUIRE(x[i].function == y[i].function);
      REQUIRE(x[i].line == y[i].line);
    }
    if (x[0].line != 0) ++named;
  }
  CHECK(named == summary.addresses_with_lines);
  CHECK(named > 20);
}

TEST_CASE("a stop or a passed deadline leaves names of symbol tables") {
  const SampleProgram program("-g");
  CaptureBytes capture;
  add_session(capture, "/");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, kStart, "/bin/app", {"app"});
  add_module(metadata, 1, kBias, program.path(), program.build_id());
  const uint32_t node = metadata.add_native_node(0, kBias + program.address_of("plain"));
  add_metadata(capture, 1, metadata);
  const std::atomic<bool> stop = true;
  CaptureSymbolsOptions options;
  options.files.stop = &stop;
  CaptureSymbolsSummary summary;
  const Capture result = finished(capture, options, summary);
  CHECK(result.frames(1, node, true).at(0).function == "plain_function");
  CHECK(result.frames(1, node, true).at(0).line == 0);
}

TEST_CASE("a failure to append ends the work") {
  CaptureBytes capture;
  add_session(capture, "/");
  MetadataBytes metadata;
  metadata.add_native_node(0, 0x1000);
  add_metadata(capture, 1, metadata);
  const TemporaryFile file(capture.bytes());
  const Capture opened = Capture::open(file.path());
  const AppendFrame full = [](format::FrameKind, uint32_t, const std::string&) {
    throw std::runtime_error("disk full");
  };
  CHECK_THROWS_WITH(resolve_capture(opened, {}, full), "disk full");
}
