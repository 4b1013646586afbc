#include "interposer/collector/capture_writer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "tests/unit/collector/capture_frames.h"

using namespace memlens;
using collector::CaptureWriter;
using collector::FrameDescription;

namespace {

FrameDescription events_frame(uint32_t sequence) {
  FrameDescription frame;
  frame.kind = format::FrameKind::kEvents;
  frame.process = 3;
  frame.thread = 7;
  frame.sequence = sequence;
  frame.lost_events = 5;
  frame.ticks = 99;
  frame.order_epoch = 12;
  frame.shared_order = true;
  return frame;
}

std::string incompressible(size_t bytes) {
  std::string text(bytes, '\0');
  uint64_t state = 88172645463325252ull;
  for (char& byte : text) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return text;
}

}  // namespace

TEST_CASE("what is appended is read back, compressed or not") {
  const int fd = testing::make_capture_file();
  CaptureWriter writer(dup(fd));
  REQUIRE(writer.write_header(42, {1, 2, 3}));
  const std::string payloads[] = {"", "short", std::string(50'000, 'a'), incompressible(60'000)};
  for (uint32_t i = 0; i < 4; ++i) CHECK(writer.append(events_frame(i), payloads[i]));
  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 4);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(frames[i].payload == payloads[i]);
    CHECK(frames[i].header.sequence == i);
    CHECK(frames[i].header.process == 3);
    CHECK(frames[i].header.thread == 7);
    CHECK(frames[i].header.lost_events == 5);
    CHECK(frames[i].header.ticks == 99);
    CHECK(frames[i].header.order_epoch == 12);
    CHECK((frames[i].header.flags & format::kFrameSharedOrder) != 0);
    CHECK((frames[i].header.flags & format::kFrameByClass) != 0);
  }
  CHECK((frames[2].header.flags & format::kFrameCompressed) != 0);
  CHECK((frames[3].header.flags & format::kFrameCompressed) == 0);
  CHECK(lseek(fd, 0, SEEK_END) == static_cast<off_t>(writer.file_bytes()));
  close(fd);
}

TEST_CASE("a write that fails half way leaves the file at its last whole frame") {
  signal(SIGXFSZ, SIG_IGN);
  char name[] = "/tmp/memlens-writer-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  unlink(name);
  CaptureWriter writer(dup(fd));
  REQUIRE(writer.write_header(1, {}));
  REQUIRE(writer.append(events_frame(0), incompressible(1000)));
  const uint64_t whole = writer.file_bytes();

  rlimit original{};
  getrlimit(RLIMIT_FSIZE, &original);
  const rlimit limited{whole + 500, original.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limited) == 0);
  CHECK_FALSE(writer.append(events_frame(1), incompressible(1000)));
  CHECK(writer.failure() == EFBIG);
  CHECK(lseek(fd, 0, SEEK_END) == static_cast<off_t>(whole));
  // Something smaller still fits behind it.
  CHECK(writer.append(events_frame(1), "trailer"));
  setrlimit(RLIMIT_FSIZE, &original);

  const auto frames = testing::read_frames(fd);
  REQUIRE(frames.size() == 2);
  CHECK(frames[1].payload == "trailer");
  close(fd);
}

TEST_CASE("a full device is told by its errno") {
  CaptureWriter writer(open("/dev/full", O_WRONLY | O_CLOEXEC));
  CHECK_FALSE(writer.write_header(1, {}));
  CHECK(writer.failure() == ENOSPC);
}

TEST_CASE("a payload beyond what readers accept is refused") {
  const int fd = testing::make_capture_file();
  CaptureWriter writer(dup(fd));
  REQUIRE(writer.write_header(1, {}));
  CHECK_FALSE(writer.append(events_frame(0), std::string(format::kMaxFrameBytes + 1, 'x')));
  CHECK(testing::read_frames(fd).empty());
  close(fd);
}
