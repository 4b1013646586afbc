#include "interposer/recording/finish_capture.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <new>

#include "reader/capture/capture.h"
#include "tests/support/capture_bytes.h"
#include "tests/support/temporary_file.h"

using namespace memlens;
using memlens::recording::AppendToCapture;
using memlens::recording::finish_capture;
using memlens::recording::FinishOptions;
using memlens::testing::CaptureBytes;
using memlens::testing::MetadataBytes;
using memlens::testing::TemporaryFile;

namespace {

CaptureBytes capture_with_native_node() {
  CaptureBytes capture;
  capture.add_session(R"({"command":["app"],"cwd":"/","options":{"native":true}})");
  MetadataBytes metadata;
  metadata.add_process(41, 1, 0, format::ProcessOrigin::kStart, CaptureBytes::kStartTicks,
                       "/bin/app", {"app"});
  metadata.add_module(0x400000, 0x400000, 0x500000, "/nowhere/libthing.so");
  metadata.add_native_node(0, 0x401234);
  capture.add_frame({.kind = format::FrameKind::kMetadata, .process = 1}, metadata.take());
  return capture;
}

AppendToCapture append_to(CaptureBytes& capture) {
  return [&capture](format::FrameKind kind, uint32_t process, std::string_view payload) {
    capture.add_frame({.kind = kind, .process = process}, payload);
    return true;
  };
}

// What `work` writes to stderr.
template <typename Work>
std::string stderr_of(Work work) {
  const TemporaryFile file("");
  const int saved = dup(STDERR_FILENO);
  const int to = open(file.path().c_str(), O_WRONLY | O_APPEND);
  dup2(to, STDERR_FILENO);
  work();
  dup2(saved, STDERR_FILENO);
  close(to);
  close(saved);
  std::string text(std::filesystem::file_size(file.path()), '\0');
  const int from = open(file.path().c_str(), O_RDONLY);
  REQUIRE(read(from, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(from);
  return text;
}

}  // namespace

TEST_CASE("a recording is finished with what its stacks need, in silence") {
  CaptureBytes capture = capture_with_native_node();
  const TemporaryFile unfinished(capture.bytes());
  bool worked = false;
  const std::string said = stderr_of(
      [&] { worked = finish_capture(unfinished.path(), FinishOptions(), append_to(capture)); });
  CHECK(worked);
  CHECK(said.empty());
  capture.add_trailer(CaptureBytes::kStartTicks + 1);
  const TemporaryFile file(capture.bytes());
  const reader::Capture opened = reader::Capture::open(file.path());
  CHECK(opened.info().complete);
  CHECK(opened.frames(1, 1, true).at(0).function == "libthing.so+0x1234");
  REQUIRE(opened.info().diagnostics.size() == 1);
  CHECK(opened.info().diagnostics[0].text ==
        "/nowhere/libthing.so: the file was gone when the run ended");
}

TEST_CASE("a capture that takes no more frames costs one warning") {
  const CaptureBytes capture = capture_with_native_node();
  const TemporaryFile unfinished(capture.bytes());
  const std::string said = stderr_of([&] {
    const AppendToCapture full = [](format::FrameKind, uint32_t, std::string_view) {
      return false;
    };
    CHECK_FALSE(finish_capture(unfinished.path(), FinishOptions(), full));
  });
  CHECK(said == "memlens: symbols are missing from the capture: they could not be written\n");
}

TEST_CASE("a capture that cannot be read costs one warning") {
  const TemporaryFile file("no capture at all");
  CaptureBytes nothing;
  const std::string said = stderr_of(
      [&] { CHECK_FALSE(finish_capture(file.path(), FinishOptions(), append_to(nothing))); });
  CHECK(said.starts_with("memlens: symbols are missing from the capture: " + file.path()));
  CHECK(said.find('\n') == said.size() - 1);
}

TEST_CASE("work that never ends is given up when its time is over") {
  // The child that does the work begins with waiting for ever.
  static bool never_ends = false;
  REQUIRE(pthread_atfork(nullptr, nullptr, [] {
            while (never_ends) pause();
          }) == 0);
  const CaptureBytes capture = capture_with_native_node();
  const TemporaryFile file(capture.bytes());
  FinishOptions options;
  options.limit_seconds = 0.2;
  options.grace_seconds = 0.2;
  CaptureBytes nothing;
  const auto begin = std::chrono::steady_clock::now();
  never_ends = true;
  const std::string said =
      stderr_of([&] { CHECK_FALSE(finish_capture(file.path(), options, append_to(nothing))); });
  never_ends = false;
  CHECK(said.find("took too long") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("a crash while reading debug information costs the symbols only") {
  // A flag that the child has no memory for: it crashes when it looks at it. Far below where the
  // kernel puts what the child maps itself.
  void* page = mmap(reinterpret_cast<void*>(0x20000000), 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  REQUIRE(page != MAP_FAILED);
  REQUIRE(madvise(page, 4096, MADV_DONTFORK) == 0);
  CaptureBytes capture = capture_with_native_node();
  const TemporaryFile unfinished(capture.bytes());
  FinishOptions options;
  options.stop = new (page) std::atomic<bool>(false);
  const std::string said = stderr_of(
      [&] { CHECK_FALSE(finish_capture(unfinished.path(), options, append_to(capture))); });
  munmap(page, 4096);
  CHECK(said.find("symbols are missing") != std::string::npos);
  capture.add_trailer(CaptureBytes::kStartTicks + 1);
  const TemporaryFile file(capture.bytes());
  CHECK(reader::Capture::open(file.path()).frames(1, 1, true).at(0).function ==
        "libthing.so+0x1234");
}
