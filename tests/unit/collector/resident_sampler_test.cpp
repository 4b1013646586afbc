#include "interposer/collector/resident_sampler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <vector>

#include "tests/unit/collector/capture_frames.h"

using namespace memlens;

TEST_CASE("samples of a long run stay few") {
  const int fd = testing::make_capture_file();
  collector::CaptureWriter writer(dup(fd));
  writer.write_header(1, {});
  collector::ResidentSampler sampler(writer);
  collector::WatchedProcess process;
  process.process = 1;
  process.pid = process.host_pid = getpid();
  const std::vector<collector::WatchedProcess> living = {process};
  constexpr int64_t kSecondNs = 1'000'000'000;
  constexpr int64_t kDayNs = 86400 * kSecondNs;
  int64_t now = kSecondNs;
  while (now < kDayNs) {
    sampler.update(living, now);
    now += sampler.interval_ns();
  }
  sampler.flush();
  CHECK(lseek(fd, 0, SEEK_END) < 2'000'000);
  CHECK(!testing::read_frames(fd).empty());
  close(fd);
}

TEST_CASE("a process is sampled when it is first seen") {
  const int fd = testing::make_capture_file();
  collector::CaptureWriter writer(dup(fd));
  writer.write_header(1, {});
  collector::ResidentSampler sampler(writer);
  sampler.update({}, 1'000'000'000);
  collector::WatchedProcess process;
  process.process = 1;
  process.host_pid = getpid();
  sampler.update({process}, 1'000'000'001);
  sampler.flush();
  CHECK(testing::read_frames(fd).size() == 1);
  close(fd);
}

TEST_CASE("what a resident set is made of is told when it has grown, and seldom otherwise") {
  const int fd = testing::make_capture_file();
  collector::CaptureWriter writer(dup(fd));
  writer.write_header(1, {});
  collector::ResidentSampler sampler(writer);
  collector::WatchedProcess process;
  process.process = 1;
  process.host_pid = getpid();
  const auto sampled = [&](int64_t now_ns) {
    const size_t before = testing::read_frames(fd).size();
    sampler.update({process}, now_ns);
    sampler.flush();
    size_t parts = 0;
    const std::vector<testing::ReadFrame> frames = testing::read_frames(fd);
    for (size_t i = before; i < frames.size(); ++i) {
      parts += frames[i].kind() == format::FrameKind::kResidentParts ? 1 : 0;
    }
    return parts;
  };
  constexpr int64_t kSecondNs = 1'000'000'000;
  constexpr int64_t kTenthNs = kSecondNs / 10;
  CHECK(sampled(10 * kTenthNs) == 1);
  CHECK(sampled(11 * kTenthNs) == 0);
  // Twice as old.
  CHECK(sampled(20 * kTenthNs) == 1);
  CHECK(sampled(25 * kTenthNs) == 0);
  CHECK(sampled(30 * kTenthNs) == 1);
  CHECK(sampled(40 * kTenthNs) == 0);
  std::vector<char> grown(64 << 20, 1);
  CHECK(sampled(41 * kTenthNs) == 1);
  CHECK(sampled(42 * kTenthNs) == 0);
  CHECK(grown[1] == 1);
  close(fd);
}
