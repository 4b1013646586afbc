// Everything that `summary`, `explain` and the end of `run` say, found once.
#pragma once

#include <optional>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/memory_limit.h"
#include "report/explain/finding.h"
#include "report/view/allocators.h"
#include "report/view/growing.h"
#include "report/view/locations.h"
#include "report/view/resident.h"

namespace memlens::report {

struct Answers {
  Answers() = default;
  Answers(Answers&&) = default;  // a copy's lines would point into the other's tree
  Answers& operator=(Answers&&) = default;

  FrameTree tree;
  // Of these views, by responsible line, the heaviest first.
  std::vector<Location> peak;
  std::vector<Location> leaks;
  std::vector<Location> temporary;
  std::vector<Location> allocations;  // only where allocations_turn_over()
  Growing growing;
  ResidentMemory resident;
  std::optional<ResidentPartsAt> resident_parts;          // at the peak
  std::optional<ResidentPartsAt> resident_parts_highest;  // when RSS was highest
  std::vector<AllocatorHeld> allocators;                  // about then, at the peak
  std::optional<reader::MemoryLimit> limit;               // that the program would meet first
  std::optional<reader::MemoryLimit> killed_for;  // the kernel ended the program for this limit
  std::vector<Finding> findings;                  // the most important first
};

// What one line allocates is worth a sentence from so many times the peak on.
inline constexpr double kTurnoverOfPeak = 10;

// Whether so much was allocated that one line may have allocated many times what the peak holds.
bool allocations_turn_over(const reader::Totals& totals, bool python);

// What is to be asked for the answers.
reader::Query answers_query(reader::Query query);

// `analysis` is of answers_query(). The capture outlives what is returned.
Answers find_answers(const reader::Capture& capture, const reader::Analysis& analysis,
                     const reader::Query& query, const FramesOf& frames_of,
                     const CodeOrigins& origins);

}  // namespace memlens::report
