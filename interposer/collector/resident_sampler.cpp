#include "interposer/collector/resident_sampler.h"

#include <algorithm>

#include "interposer/collector/process_files.h"
#include "interposer/format/primitives.h"
#include "interposer/platform/clock.h"

namespace memlens::collector {
namespace {

constexpr uint32_t kSamplesPerInterval = 4096;
constexpr int64_t kFlushIntervalNs = 5'000'000'000;
constexpr size_t kFlushBytes = size_t{16} * 1024;

}  // namespace

void ResidentSampler::update(const std::vector<WatchedProcess>& living, int64_t now_ns) {
  if (now_ns >= next_sample_ns_) {
    next_sample_ns_ = now_ns + interval_ns_;
    for (const WatchedProcess& process : living) sample(process);
    if (samples_at_interval_ >= kSamplesPerInterval) {
      interval_ns_ *= 2;
      samples_at_interval_ = 0;
    }
  } else {
    // Processes that live shorter than the interval are seen once at least.
    const uint32_t newest = newest_process_;
    for (const WatchedProcess& process : living) {
      if (process.process > newest) sample(process);
    }
  }
  if (payload_.size() >= kFlushBytes || (now_ns >= next_flush_ns_ && !payload_.empty())) flush();
  if (now_ns >= next_flush_ns_) next_flush_ns_ = now_ns + kFlushIntervalNs;
}

void ResidentSampler::sample(const WatchedProcess& process) {
  newest_process_ = std::max(newest_process_, process.process);
  const auto bytes = process.host_pid == 0 ? std::nullopt : resident_bytes(process.host_pid);
  // A zombie has no memory; that is not what its memory was.
  if (!bytes || *bytes == 0) return;
  const uint64_t ticks = platform::read_ticks();
  if (payload_.empty()) first_ticks_ = ticks;
  uint8_t encoded[3 * format::kMaxVarintBytes];
  uint8_t* end = format::encode_varint(encoded, ticks);
  end = format::encode_varint(end, process.process);
  end = format::encode_varint(end, *bytes);
  payload_.insert(payload_.end(), encoded, end);
  ++samples_at_interval_;
}

void ResidentSampler::flush() {
  if (payload_.empty()) return;
  FrameDescription frame;
  frame.kind = format::FrameKind::kMemory;
  frame.ticks = first_ticks_;
  writer_.append(frame, payload_);
  payload_.clear();
}

}  // namespace memlens::collector
