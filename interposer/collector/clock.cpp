#include "interposer/collector/clock.h"

#include <time.h>

#include <fstream>
#include <string>

#include "interposer/format/primitives.h"
#include "interposer/platform/clock.h"

namespace memlens::collector {
namespace {

int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Moment read_moment() {
  // Being scheduled away between two readings tears them apart: the closest pair of a few counts.
  constexpr int kAttempts = 5;
  Moment best;
  uint64_t best_distance = UINT64_MAX;
  for (int i = 0; i < kAttempts; ++i) {
    const uint64_t before = platform::read_ticks();
    const int64_t monotonic = monotonic_ns();
    const int64_t unix_time = read_clock(CLOCK_REALTIME);
    const uint64_t after = platform::read_ticks();
    if (after - before >= best_distance) continue;
    best_distance = after - before;
    best = {before + best_distance / 2, static_cast<uint64_t>(monotonic),
            static_cast<uint64_t>(unix_time)};
  }
  return best;
}

uint32_t steady_ticks_per_us() {
  constexpr int64_t kMeasuredNs = 200'000;
  std::ifstream source("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string name;
  if (!(source >> name) || name != "tsc") return 0;
  const Moment begin = read_moment();
  while (monotonic_ns() - static_cast<int64_t>(begin.monotonic_ns) < kMeasuredNs) continue;
  const Moment end = read_moment();
  return static_cast<uint32_t>((end.ticks - begin.ticks) * 1000 /
                               (end.monotonic_ns - begin.monotonic_ns));
}

bool append_clock_frame(CaptureWriter& writer) {
  const Moment now = read_moment();
  uint8_t payload[2 * format::kMaxVarintBytes];
  uint8_t* end = format::encode_varint(payload, now.ticks);
  end = format::encode_varint(end, now.monotonic_ns);
  FrameDescription frame;
  frame.kind = format::FrameKind::kClock;
  frame.ticks = now.ticks;
  return writer.append(frame, {payload, static_cast<size_t>(end - payload)});
}

}  // namespace memlens::collector
