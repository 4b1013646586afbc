#include "interposer/collector/resident_sampler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "tests/unit/collector/capture_frames.h"

using namespace memlens;

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// This process, sampled into a capture without a name.
class SampledProcess {
 public:
  SampledProcess() : fd_(testing::make_capture_file()), writer_(dup(fd_)), sampler_(writer_) {
    writer_.write_header(1, {});
    process_.process = 1;
    process_.pid = process_.host_pid = getpid();
  }
  ~SampledProcess() { close(fd_); }

  void update(int64_t now_ns) { sampler_.update({process_}, now_ns); }
  void update_without(int64_t now_ns) { sampler_.update({}, now_ns); }
  int64_t interval_ns() const { return sampler_.interval_ns(); }
  // What was written, after all of it.
  std::vector<testing::ReadFrame> frames() {
    sampler_.flush();
    return testing::read_frames(fd_);
  }
  off_t file_bytes() const { return lseek(fd_, 0, SEEK_END); }
  size_t parts_seen_at(int64_t now_ns) {
    const size_t before = frames().size();
    update(now_ns);
    const std::vector<testing::ReadFrame> all = frames();
    return static_cast<size_t>(std::count_if(
        all.begin() + static_cast<ptrdiff_t>(before), all.end(),
        [](const auto& frame) { return frame.kind() == format::FrameKind::kResidentParts; }));
  }

 private:
  int fd_;
  collector::CaptureWriter writer_;
  collector::ResidentSampler sampler_;
  collector::WatchedProcess process_;
};

}  // namespace

TEST_CASE("samples of a long run stay few") {
  SampledProcess sampled;
  constexpr int64_t kDayNs = 86400 * kSecondNs;
  for (int64_t now = kSecondNs; now < kDayNs; now += sampled.interval_ns()) sampled.update(now);
  CHECK(!sampled.frames().empty());
  CHECK(sampled.file_bytes() < 2'000'000);
}

TEST_CASE("a process is sampled when it is first seen") {
  SampledProcess sampled;
  sampled.update_without(kSecondNs);
  sampled.update(kSecondNs + 1);
  CHECK(sampled.frames().size() == 1);
}

TEST_CASE("what a resident set is made of is told when it has grown, and seldom otherwise") {
  SampledProcess sampled;
  constexpr int64_t kTenthNs = kSecondNs / 10;
  CHECK(sampled.parts_seen_at(10 * kTenthNs) == 1);
  CHECK(sampled.parts_seen_at(11 * kTenthNs) == 0);
  // Twice as old.
  CHECK(sampled.parts_seen_at(20 * kTenthNs) == 1);
  CHECK(sampled.parts_seen_at(25 * kTenthNs) == 0);
  CHECK(sampled.parts_seen_at(30 * kTenthNs) == 1);
  CHECK(sampled.parts_seen_at(40 * kTenthNs) == 0);
  std::vector<char> grown(64 << 20, 1);
  CHECK(sampled.parts_seen_at(41 * kTenthNs) == 1);
  CHECK(sampled.parts_seen_at(42 * kTenthNs) == 0);
  CHECK(grown[1] == 1);
}
