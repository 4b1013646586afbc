#include "interposer/collector/resident_sampler.h"

#include <algorithm>

#include "interposer/collector/process_files.h"
#include "interposer/collector/resident_parts.h"
#include "interposer/format/primitives.h"
#include "interposer/platform/clock.h"

namespace memlens::collector {
namespace {

constexpr uint32_t kSamplesPerInterval = 4096;
constexpr int64_t kFlushIntervalNs = 5'000'000'000;
constexpr size_t kFlushBytes = size_t{16} * 1024;
constexpr int64_t kSamplesPerParts = 100;
// Of CPU time, for looking at mappings: so much at once, so much to begin with, and a fiftieth.
constexpr double kMostNsAtOnce = 25e6;
constexpr double kFirstCreditNs = 100e6;
constexpr double kTimeShare = 0.02;
constexpr uint64_t kWorthPartsBytes = 1 << 20;  // of growth

void append_varint(std::vector<uint8_t>& payload, uint64_t value) {
  uint8_t encoded[format::kMaxVarintBytes];
  payload.insert(payload.end(), encoded, format::encode_varint(encoded, value));
}

}  // namespace

void ResidentSampler::update(const std::vector<WatchedProcess>& living, int64_t now_ns) {
  if (first_update_ns_ == 0) first_update_ns_ = now_ns;
  if (now_ns >= next_sample_ns_) {
    next_sample_ns_ = now_ns + interval_ns_;
    for (const WatchedProcess& process : living) {
      const auto bytes = sample(process);
      if (!bytes) continue;
      sample_parts(process, *bytes, now_ns);
      if (questions_ != nullptr) questions_->saw(process, *bytes, now_ns);
    }
    forget_ended(living);
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
  if (payload_.size() + parts_payload_.size() >= kFlushBytes ||
      (now_ns >= next_flush_ns_ && !payload_.empty()))
    flush();
  if (now_ns >= next_flush_ns_) next_flush_ns_ = now_ns + kFlushIntervalNs;
}

std::optional<uint64_t> ResidentSampler::sample(const WatchedProcess& process) {
  newest_process_ = std::max(newest_process_, process.process);
  const auto bytes = process.host_pid == 0 ? std::nullopt : resident_bytes(process.host_pid);
  // A zombie has no memory; that is not what its memory was.
  if (!bytes || *bytes == 0) return {};
  const uint64_t ticks = platform::read_ticks();
  if (payload_.empty()) first_ticks_ = ticks;
  append_varint(payload_, ticks);
  append_varint(payload_, process.process);
  append_varint(payload_, *bytes);
  ++samples_at_interval_;
  return bytes;
}

void ResidentSampler::sample_parts(const WatchedProcess& process, uint64_t resident_bytes,
                                   int64_t now_ns) {
  LastParts& last = last_parts_[process.process];
  if (last.first_ns == 0) last.first_ns = now_ns;
  const uint64_t worth = last.resident_bytes + last.resident_bytes / 8 + kWorthPartsBytes;
  if (now_ns < last.next_ns && resident_bytes < worth) return;
  last.resident_bytes = resident_bytes;
  last.next_ns = now_ns + std::clamp(now_ns - last.first_ns, 4 * interval_ns_,
                                     kSamplesPerParts * interval_ns_);
  const auto parts = look_at(process.host_pid, resident_bytes, now_ns);
  if (!parts) return;
  const uint64_t ticks = platform::read_ticks();
  if (parts_payload_.empty()) first_parts_ticks_ = ticks;
  append_varint(parts_payload_, ticks);
  append_varint(parts_payload_, process.process);
  append_varint(parts_payload_, format::kResidentPartFields.size());
  for (const auto field : format::kResidentPartFields) append_varint(parts_payload_, *parts.*field);
}

std::optional<format::ResidentParts> ResidentSampler::look_at(int32_t pid, uint64_t resident_bytes,
                                                              int64_t now_ns) {
  const double expected_ns = ns_per_resident_byte_ * static_cast<double>(resident_bytes);
  const double credit_ns = kFirstCreditNs +
                           kTimeShare * static_cast<double>(now_ns - first_update_ns_) -
                           static_cast<double>(spent_on_mappings_ns_);
  if (expected_ns > std::min(credit_ns, kMostNsAtOnce)) return count_resident_parts(pid);
  const int64_t before = platform::thread_cpu_ns();
  const auto parts = read_resident_parts(pid);
  const int64_t spent = platform::thread_cpu_ns() - before;
  spent_on_mappings_ns_ += spent;
  ns_per_resident_byte_ = static_cast<double>(spent) / static_cast<double>(resident_bytes);
  return parts ? parts : count_resident_parts(pid);
}

void ResidentSampler::forget_ended(const std::vector<WatchedProcess>& living) {
  if (last_parts_.size() < 2 * living.size() + 64) return;
  std::erase_if(last_parts_, [&](const auto& last) {
    return std::ranges::find(living, last.first, &WatchedProcess::process) == living.end();
  });
}

void ResidentSampler::flush() {
  flush(format::FrameKind::kMemory, first_ticks_, payload_);
  flush(format::FrameKind::kResidentParts, first_parts_ticks_, parts_payload_);
}

void ResidentSampler::flush(format::FrameKind kind, uint64_t first_ticks,
                            std::vector<uint8_t>& payload) {
  if (payload.empty()) return;
  FrameDescription frame;
  frame.kind = kind;
  frame.ticks = first_ticks;
  writer_.append(frame, payload);
  payload.clear();
}

}  // namespace memlens::collector
