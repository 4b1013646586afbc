// Limits on a capture, and whether it keeps them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/view/code_origin.h"
#include "report/view/growing.h"
#include "report/view/stack_sums.h"
#include "report/view/suppressions.h"

namespace memlens::report {

// A line of source and what it holds; known apart from any capture, so that it can be stored.
struct CheckPlace {
  std::string function;
  std::string file;  // below the program's folder or Python's (short_path.h)
  uint32_t line = 0;
  uint64_t bytes = 0;
  uint64_t blocks = 0;
};

// What is compared: of a capture, or of a baseline stored as JSON.
struct CheckFacts {
  uint64_t peak_bytes = 0;
  uint64_t leaked_bytes = 0;  // but for what is suppressed
  uint64_t allocations = 0;
  // Standard errors, of samples.
  double peak_error = 0, leaked_error = 0, allocations_error = 0;
  // Heaviest first; of a stored baseline not all.
  std::vector<CheckPlace> peak_places, leaked_places, allocated_places;
  // Of a stored baseline, what a place that is not listed can have had at most, in the list's
  // order: bytes, bytes, blocks. 0: all are listed.
  uint64_t peak_unlisted = 0, leaked_unlisted = 0, allocated_unlisted = 0;
};

// The stacks are grouped by frames, and leaks suppressed in them already.
CheckFacts find_check_facts(const reader::CaptureInfo& info, const reader::Totals& totals,
                            const std::vector<StackSums>& stacks, const FrameTree& tree,
                            const CodeOrigins& origins);

// How fast what is still allocated grows: all lines together that go on rising (growing.h), but for
// those that are suppressed.
struct CheckGrowth {
  double bytes_per_second = 0;
  std::vector<CheckPlace> places;  // bytes: gained
};

CheckGrowth find_check_growth(const reader::CaptureInfo& info, const Growing& growing,
                              const std::vector<Suppression>& suppressions);

struct CheckLimits {
  std::optional<uint64_t> max_peak, max_leaked, max_allocations;
  std::optional<double> max_growth;  // bytes a second
  std::optional<CheckFacts> baseline;
  // Of the baseline. Not given: 5 %, and where that is less, 4 kB or 100 allocations, which differ
  // from run to run of one program.
  std::optional<double> tolerance;
};

enum class CheckUnit : uint8_t { kBytes, kAllocations, kBytesPerSecond };

struct CheckedLimit {
  std::string name;  // "max-peak", "baseline-leaked"
  CheckUnit unit = CheckUnit::kBytes;
  double limit = 0;
  double value = 0;
  double error = 0;                     // of the value, one standard error
  std::optional<double> baseline;       // what the limit was made from
  std::optional<CheckPlace> place;      // that holds most
  std::optional<int64_t> place_change;  // against the baseline: then the place that grew most
  bool holds() const { return value <= limit; }
};

std::vector<CheckedLimit> check_limits(const CheckLimits& limits, const CheckFacts& facts,
                                       const CheckGrowth& growth);

// All that a check says.
struct CheckResult {
  std::string capture;
  std::vector<CheckedLimit> limits;
  std::vector<Suppression> suppressions;
  std::string suppressions_file;

  bool holds() const;
};

}  // namespace memlens::report
