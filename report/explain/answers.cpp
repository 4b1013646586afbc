#include "report/explain/answers.h"

#include "report/explain/findings.h"
#include "report/view/stack_list.h"

namespace memlens::report {

reader::Query answers_query(reader::Query query) {
  query.growth_marks = kGrowthMarks;
  return query;
}

bool allocations_turn_over(const reader::Totals& totals, bool python) {
  // Most of what a small script's peak holds may be there before it begins (program_peak).
  constexpr double kStartupOfPeak = 0.75;
  return static_cast<double>(totals.allocated_bytes) >= kTurnoverOfPeak *
                                                            (python ? 1 - kStartupOfPeak : 1) *
                                                            static_cast<double>(totals.peak_bytes);
}

Answers find_answers(const reader::Capture& capture, const reader::Analysis& analysis,
                     const reader::Query& query, const FramesOf& frames_of,
                     const CodeOrigins& origins) {
  Answers answers;
  const auto list_of = [&](View view) {
    return StackList(analysis.sites, view, Grouping::kByFrames, frames_of, answers.tree);
  };
  const bool turn_over = allocations_turn_over(analysis.totals, capture.info().python.has_value());
  const StackList peak = list_of(View::kPeak);
  const StackList leaks = list_of(View::kLeaks);
  const StackList temporary = list_of(View::kTemporary);
  const std::optional<StackList> allocations =
      turn_over ? std::optional(list_of(View::kAllocations)) : std::nullopt;
  // Locations and places point into the tree, so that it must have all its frames first. What grows
  // is among what is still allocated or was alive at a mark.
  answers.growing = find_growing(analysis, frames_of, answers.tree, origins);
  answers.peak = find_locations(peak, answers.tree, View::kPeak, origins);
  answers.leaks = find_locations(leaks, answers.tree, View::kLeaks, origins);
  answers.temporary = find_locations(temporary, answers.tree, View::kTemporary, origins);
  if (allocations) {
    answers.allocations = find_locations(*allocations, answers.tree, View::kAllocations, origins);
  }
  answers.resident =
      resident_memory(capture.info(), capture.resident_samples(), analysis.totals, query);
  answers.resident_parts = resident_parts_at(capture, analysis.totals.peak_seconds, query);
  if (const std::optional<double> seconds = answers.resident.highest_seconds) {
    answers.resident_parts_highest = resident_parts_at(capture, *seconds, query);
  }
  answers.allocators = allocators_at_peak(capture, analysis, query);
  answers.limit = reader::limit_of_program(capture);
  answers.killed_for = reader::limit_that_killed(capture);
  answers.findings =
      find_findings({capture.info(), capture.resident_samples(), capture.resident_parts(),
                     capture.allocator_samples(), analysis, query, answers, origins});
  return answers;
}

}  // namespace memlens::report
