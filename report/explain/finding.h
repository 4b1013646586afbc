// What a capture says, in sentences: each with its number, its place, and how sure it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reader/capture/capture.h"

namespace memlens::report {

enum class FindingKind : uint8_t {
  kOom,                 // killed by the kernel for want of memory
  kKilled,              // killed by a signal
  kIncomplete,          // the capture or its numbers lack something
  kUntrackedAllocator,  // memory that did not pass the hooks
  kLeak,                // rises to the end, or was never freed
  kGrowth,              // rises to the end of a recording too short to tell
  kChurn,               // blocks freed at once, in such numbers that they cost time
  kFragmentation,       // freed, and still in memory
  kRssGap,              // in memory, and no recorded block
  kReserve,             // asked for and never touched
  kCopiedPages,         // inherited by fork, and written to
  kSharedPages,         // counted in the RSS of several processes
  kPeak,
  kCache,  // rose and levelled off
};

enum class Severity : uint8_t { kHigh, kMedium, kLow };

enum class Certainty : uint8_t {
  kMeasured,  // the numbers are the finding
  kLikely,
  kPossible,
};

// "oom", "killed", "incomplete", "untracked_allocator", "leak", ...
std::string_view finding_kind_name(FindingKind kind);
// "Out of memory", "Killed", ...
std::string_view finding_title(FindingKind kind);
std::string_view severity_name(Severity severity);
std::string_view certainty_name(Certainty certainty);

struct Finding {
  FindingKind kind = FindingKind::kPeak;
  Severity severity = Severity::kLow;
  Certainty certainty = Certainty::kMeasured;
  std::string text;  // one sentence
  std::optional<uint64_t> bytes = {};
  const reader::Frame* place = nullptr;  // of the answers' tree; null: none
};

// "Leak (likely)"; what is measured needs no such word.
std::string finding_title(const Finding& finding);

// How many of the sentences stand for all, where there is no room for more.
inline constexpr size_t kFirstFindings = 2;

}  // namespace memlens::report
