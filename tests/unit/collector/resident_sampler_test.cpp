#include "interposer/collector/resident_sampler.h"

#include <doctest/doctest.h>
#include <unistd.h>

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
