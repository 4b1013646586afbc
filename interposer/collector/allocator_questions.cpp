#include "interposer/collector/allocator_questions.h"

#include <algorithm>
#include <utility>

#include "interposer/collector/copy_permission.h"
#include "interposer/collector/process_files.h"
#include "interposer/format/allocator_statistics.h"
#include "interposer/platform/futex.h"

namespace memlens::collector {
namespace {

using format::StatisticsMoment;
using segment::StatisticsRequest;
using segment::StatisticsSlot;

constexpr uint64_t kWorthBytes = 32'000'000;
// Its tables would be copied for a tenth of a second, in which no thread of it can fault a page in;
// at its end nobody minds.
constexpr uint64_t kMostBytes = 4'000'000'000;
constexpr uint64_t kMostBytesAtEnd = 32'000'000'000;
constexpr double kTimeShare = 0.01;
// What the program that was started may spend beforehand. Its children have none of it: there may
// be thousands.
constexpr double kFirstCreditNs = 50e6;
// A moment that the program itself names may cost twice as much.
constexpr double kMarksFactor = 2;
// Measured: 0.54 ms for 32 MB and 24 ms for 1 GB of small pages, and 1.2 us for each page that is
// written to afterwards. A program that writes to half of its pages soon pays so much for that.
constexpr double kCopyNsPerByte = 0.025;
constexpr double kFaultNsPerByte = 0.15;
constexpr double kNsPerFault = 1200;
constexpr double kPaidLater = 0.25;
constexpr int64_t kSettleNs = 150'000'000;
constexpr double kGrowthFactor = 3;
constexpr int64_t kFirstPauseNs = 200'000'000;
constexpr int64_t kLastPauseNs = 5'000'000'000;

}  // namespace

AllocatorQuestions::Known& AllocatorQuestions::known(const WatchedProcess& process,
                                                     int64_t now_ns) {
  Known& known = processes_[process.process];
  if (known.first_ns == 0) known.first_ns = now_ns;
  return known;
}

double AllocatorQuestions::copy_ns(uint64_t resident_bytes) const {
  return std::max(copy_ns_per_byte_, kCopyNsPerByte) * static_cast<double>(resident_bytes);
}

double AllocatorQuestions::cost_ns(uint64_t resident_bytes, bool at_end) const {
  return copy_ns(resident_bytes) +
         (at_end ? 0 : kFaultNsPerByte * static_cast<double>(resident_bytes));
}

double AllocatorQuestions::budget_ns(const WatchedProcess& process, const Known& known,
                                     int64_t now_ns, bool at_mark) const {
  const double credit = process.process == segment::kFirstProcess ? kFirstCreditNs : 0;
  const double earned = credit + kTimeShare * static_cast<double>(now_ns - known.first_ns);
  return (at_mark ? kMarksFactor : 1) * earned - known.spent_ns;
}

// A copy that took longer than was thought is paid for, and so are those to come.
void AllocatorQuestions::learn_cost(StatisticsSlot& slot, Known& known) {
  const uint32_t copy_us = slot.copy_us.exchange(0, std::memory_order_relaxed);
  if (copy_us == 0 || known.asked_bytes == 0) return;
  const double ns = 1e3 * copy_us;
  known.spent_ns += std::max(0.0, ns - known.last_copy_ns);
  copy_ns_per_byte_ = ns / static_cast<double>(known.asked_bytes);
}

bool AllocatorQuestions::look_at(const WatchedProcess& process, Known& known,
                                 uint64_t resident_bytes, bool at_end) {
  known.looked_at = true;
  known.refusal = resident_bytes > (at_end ? kMostBytesAtEnd : kMostBytes)
                      ? "it is so large that a copy of its page tables would hold it up"
                      : reason_against_copy(process.host_pid, resident_bytes);
  if (known.refusal.empty()) return true;
  if (reasons_.insert(known.refusal).second) {
    notes_.push_back("process " + std::to_string(process.pid) +
                     " was not asked what its allocators hold free: " + known.refusal);
  }
  return false;
}

std::vector<std::string> AllocatorQuestions::take_notes() { return std::exchange(notes_, {}); }

// What the program did not pay after all may be spent again; some pages it writes to later.
void AllocatorQuestions::settle_faults(const WatchedProcess& process, Known& known,
                                       int64_t now_ns) {
  if (known.settle_ns == 0 || now_ns < known.settle_ns) return;
  known.settle_ns = 0;
  const auto faults = minor_faults(process.host_pid);
  if (!faults) return;
  const double had = static_cast<double>(*faults - std::min(*faults, known.faults_before));
  const double paid = std::max(had * kNsPerFault, known.thought_ns * kPaidLater);
  known.spent_ns -= std::max(0.0, known.thought_ns - paid);
}

void AllocatorQuestions::saw(const WatchedProcess& process, uint64_t resident_bytes,
                             int64_t now_ns) {
  if (process.host_pid == 0) return;
  Known& known = this->known(process, now_ns);
  StatisticsSlot& slot = segment_->statistics[process.slot];
  learn_cost(slot, known);
  settle_faults(process, known, now_ns);
  const uint64_t before = std::exchange(known.seen_bytes, resident_bytes);
  if (resident_bytes < kWorthBytes) return slot.large.store(0, std::memory_order_relaxed);
  // While it grows the last moment is worth as much as all that were before; where it stays as it
  // is, what it holds free is what it goes on holding. The end is to be paid for.
  const double cost = cost_ns(resident_bytes, false);
  const double budget = budget_ns(process, known, now_ns, false);
  const bool stays = resident_bytes - std::min(resident_bytes, before) <= resident_bytes / 16;
  const bool grown = resident_bytes >= known.asked_bytes + known.asked_bytes / 2;
  const bool due = now_ns >= known.next_ns || (!stays && known.refusal.empty());
  const bool wanted = due && (stays ? cost + cost_ns(resident_bytes, true) <= budget
                                    : grown && kGrowthFactor * cost <= budget);
  if (known.looked_at && !wanted) return;
  pause(known, now_ns);
  const bool allowed = look_at(process, known, resident_bytes, false);
  // At the end more is allowed, and it is looked at again.
  slot.large.store(allowed || resident_bytes > kMostBytes ? 1 : 0, std::memory_order_relaxed);
  if (allowed && wanted) want(process);
}

void AllocatorQuestions::pause(Known& known, int64_t now_ns) {
  known.next_ns = now_ns + std::clamp((now_ns - known.first_ns) / 4, kFirstPauseNs, kLastPauseNs);
}

void AllocatorQuestions::want(const WatchedProcess& process) {
  segment_->statistics[process.slot].wanted.fetch_add(1);
}

bool AllocatorQuestions::may_ask(const WatchedProcess& process, uint32_t moment, int64_t now_ns) {
  if (ended_ || process.host_pid == 0) return false;
  const auto resident = resident_bytes(process.host_pid);
  if (!resident || *resident < kWorthBytes) return false;
  Known& known = this->known(process, now_ns);
  learn_cost(segment_->statistics[process.slot], known);
  const bool at_end = moment == static_cast<uint32_t>(StatisticsMoment::kEnd);
  const double cost = cost_ns(*resident, at_end);
  const bool at_mark = moment == static_cast<uint32_t>(StatisticsMoment::kMark);
  if (cost > budget_ns(process, known, now_ns, at_mark)) return false;
  if (!look_at(process, known, *resident, at_end)) return false;
  known.asked_bytes = *resident;
  known.last_copy_ns = copy_ns(*resident);
  known.spent_ns += cost;
  known.thought_ns = cost - known.last_copy_ns;
  known.faults_before = minor_faults(process.host_pid).value_or(0);
  known.settle_ns = at_end ? 0 : now_ns + kSettleNs;
  pause(known, now_ns);
  return true;
}

bool AllocatorQuestions::copies_are_out(const std::vector<WatchedProcess>& living) const {
  return std::ranges::any_of(living, [this](const WatchedProcess& process) {
    return segment_->statistics[process.slot].copy_out.load(std::memory_order_relaxed) != 0;
  });
}

void AllocatorQuestions::answer(const std::vector<WatchedProcess>& living, int64_t now_ns) {
  constexpr auto kAsked = static_cast<uint32_t>(StatisticsRequest::kAsked);
  for (const WatchedProcess& process : living) {
    StatisticsSlot& slot = segment_->statistics[process.slot];
    uint32_t asked = slot.request.load(std::memory_order_acquire);
    if (asked < kAsked) continue;
    const bool granted = asked == static_cast<uint32_t>(StatisticsRequest::kAskedToReap)
                             ? reason_against_waiting(process.host_pid).empty()
                             : may_ask(process, asked - kAsked, now_ns);
    const auto word = granted ? StatisticsRequest::kGranted : StatisticsRequest::kRefused;
    if (slot.request.compare_exchange_strong(asked, static_cast<uint32_t>(word))) {
      platform::futex_wake(slot.request, 1);
    }
  }
  if (processes_.size() < 2 * living.size() + 64) return;
  std::erase_if(processes_, [&](const auto& each) {
    return std::ranges::find(living, each.first, &WatchedProcess::process) == living.end();
  });
}

}  // namespace memlens::collector
