// Rules about blocks that live a short time, in such numbers that they cost time.

#include <algorithm>

#include "reader/text/units.h"
#include "report/explain/findings.h"

namespace memlens::report {
namespace {

// Temporary blocks are ordinary in any program: they are a finding where there are so many, and of
// such a size or number, that they cost time.
constexpr uint64_t kManyTemporary = 100'000;
constexpr uint64_t kManyBuffers = kManyTemporary / 50;
constexpr double kMostAllocations = 0.3;
constexpr uint64_t kBufferBytes = 256;
// What less than this costs is hardly to be measured.
constexpr uint64_t kMuchTurnover = 100'000'000;

uint64_t bytes_of_one(const Location& line) {
  return line.tally.bytes / std::max<uint64_t>(1, line.tally.blocks);
}

bool turns_over(const Location& line, const Evidence& evidence) {
  return static_cast<double>(line.tally.bytes) >=
         kTurnoverOfPeak * static_cast<double>(program_peak(evidence));
}

void add_churn(const Evidence& evidence, const Location& line, std::string_view what,
               std::vector<Finding>& findings) {
  Finding finding;
  finding.kind = FindingKind::kChurn;
  finding.severity = Severity::kMedium;
  finding.bytes = line.tally.bytes;
  finding.place = line.frame;
  finding.text = place_text(*line.frame, evidence.info) + " allocated " +
                 format_bytes(line.tally.bytes) + " in " +
                 format_count_of(line.tally.blocks, "block") + std::string(what) +
                 ": they cost time rather than memory, and a buffer that is used again saves them.";
  findings.push_back(finding);
}

// Buffers that live for more than the next allocation, and yet not long: what one line allocated
// is many times what there ever was at once.
void find_turnover(const Evidence& evidence, std::vector<Finding>& findings) {
  const reader::Totals& totals = evidence.analysis.totals;
  for (const Location& line : evidence.answers.allocations) {
    if (!turns_over(line, evidence) || line.tally.bytes < kMuchTurnover) return;
    if (line.tally.blocks < kManyBuffers || bytes_of_one(line) < kBufferBytes) continue;
    const uint64_t program = program_peak(evidence);
    add_churn(evidence, line,
              ", " + format_count(line.tally.bytes / std::max<uint64_t>(1, program)) +
                  " times what the peak holds" +
                  (program < totals.peak_bytes ? " beside Python's start" : "") +
                  ", so hardly any of them lived long",
              findings);
    return;
  }
}

// Blocks that were freed before their thread allocated again. Returns whether there is a line.
bool find_freed_at_once(const Evidence& evidence, std::vector<Finding>& findings) {
  const reader::Totals& totals = evidence.analysis.totals;
  const std::vector<Location>& lines = evidence.answers.temporary;
  if (lines.empty() || totals.temporary_blocks < kManyTemporary / 10) return false;
  // Every expression of Python makes small temporary objects: there it is buffers that matter.
  const bool python = evidence.info.python.has_value();
  const Location* worst = nullptr;
  for (const Location& line : lines) {
    if (python && bytes_of_one(line) < kBufferBytes) continue;
    if (worst == nullptr || line.tally.bytes > worst->tally.bytes) worst = &line;
  }
  if (worst == nullptr || worst->tally.blocks < kManyBuffers) return false;
  const bool many = worst->tally.blocks >= kManyTemporary &&
                    part_of(totals.temporary_blocks, totals.allocations) >= kMostAllocations;
  if (!turns_over(*worst, evidence) && (python || !many)) return false;
  add_churn(evidence, *worst, " that were freed at once", findings);
  return true;
}

}  // namespace

void find_churn(const Evidence& evidence, std::vector<Finding>& findings) {
  if (!find_freed_at_once(evidence, findings)) find_turnover(evidence, findings);
}

}  // namespace memlens::report
