// Rules about several processes: a page that they share counts in the resident set of each, and one
// that a forked child inherited becomes its own when it writes there.

#include <algorithm>

#include "reader/text/units.h"
#include "report/explain/findings.h"

namespace memlens::report {
namespace {

constexpr uint64_t kWorthSharingBytes = 32'000'000;
// RSS that is so much more than there is misleads.
constexpr double kMisleads = 1.25;
// Of what a child has of its own.
constexpr double kCopiedShare = 0.4;

const reader::ProcessInfo* find_process(const reader::CaptureInfo& info, uint32_t index) {
  const auto found = std::ranges::find(info.processes, index, &reader::ProcessInfo::index);
  return found == info.processes.end() ? nullptr : &*found;
}

std::map<uint32_t, uint64_t> bytes_at_peak(const reader::Analysis& analysis) {
  std::map<uint32_t, uint64_t> bytes;
  for (const reader::Site& site : analysis.sites) bytes[site.process_index] += site.peak.bytes;
  return bytes;
}

void add_shared(const ResidentPartsAt& at, std::vector<Finding>& findings) {
  const format::ResidentParts& sum = at.sum;
  if (at.processes.size() < 2 || sum.proportional == 0) return;
  if (sum.resident < sum.proportional + kWorthSharingBytes ||
      static_cast<double>(sum.resident) < kMisleads * static_cast<double>(sum.proportional)) {
    return;
  }
  Finding finding;
  finding.kind = FindingKind::kSharedPages;
  finding.severity = Severity::kLow;
  finding.bytes = sum.resident - sum.proportional;
  finding.text = "The RSS of " + format_count(at.processes.size()) +
                 " processes at the peak adds " + "up to " + format_bytes(sum.resident) +
                 ", but pages that they share counted once " + "it is " +
                 format_bytes(sum.proportional) + " (PSS), of which " + format_bytes(sum.own) +
                 " belongs to one process only.";
  findings.push_back(finding);
}

void add_copied(const Evidence& evidence, const ResidentPartsAt& at,
                std::vector<Finding>& findings) {
  const std::map<uint32_t, uint64_t> blocks = bytes_at_peak(evidence.analysis);
  uint64_t own = 0;
  uint64_t copied = 0;
  size_t children = 0;
  bool python = false;
  for (const auto& [index, parts] : at.processes) {
    const reader::ProcessInfo* process = find_process(evidence.info, index);
    if (process == nullptr || process->origin != format::ProcessOrigin::kFork) continue;
    const auto held = blocks.find(index);
    ++children;
    own += parts.own;
    copied += parts.own - std::min(parts.own, held == blocks.end() ? 0 : held->second);
    python |= !process->python.empty();
  }
  if (copied < kWorthSharingBytes ||
      static_cast<double>(copied) < kCopiedShare * static_cast<double>(own)) {
    return;
  }
  Finding finding;
  finding.kind = FindingKind::kCopiedPages;
  finding.severity = Severity::kMedium;
  finding.certainty = Certainty::kLikely;
  finding.bytes = copied;
  finding.text =
      format_count(children) + (children == 1 ? " forked process" : " forked processes") + " had " +
      format_bytes(own) + " of their own at the peak, and all but " + format_bytes(own - copied) +
      " of that is no block they allocated: pages inherited from the parent and copied "
      "because they were written to";
  finding.text += python ? ", as by reference counts and the garbage collector (gc.freeze() before "
                           "the fork spares some of it)."
                         : ".";
  findings.push_back(finding);
}

}  // namespace

void find_sharing(const Evidence& evidence, std::vector<Finding>& findings) {
  const std::optional<ResidentPartsAt>& at = evidence.answers.resident_parts;
  if (!at) return;
  add_copied(evidence, *at, findings);
  add_shared(*at, findings);
}

}  // namespace memlens::report
