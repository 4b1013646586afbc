// The rules by which a capture is explained. None says what its numbers do not carry.
#pragma once

#include <span>
#include <vector>

#include "report/explain/answers.h"

namespace memlens::report {

struct Evidence {
  const reader::CaptureInfo& info;
  std::span<const reader::ResidentSample> samples;
  std::span<const reader::ResidentPartsSample> parts;
  std::span<const reader::AllocatorSample> allocators;
  const reader::Analysis& analysis;
  const reader::Query& query;
  const Answers& answers;  // but for its findings
  const CodeOrigins& origins;
};

// The most important first. There is always one: the peak.
std::vector<Finding> find_findings(const Evidence& evidence);

// Parts of it. Of the recording itself: what ended it, what it lacks.
void find_endings(const Evidence& evidence, std::vector<Finding>& findings);
// What rises, what was never freed, what levelled off.
void find_growth(const Evidence& evidence, std::vector<Finding>& findings);
// What made the peak.
void find_peak(const Evidence& evidence, std::vector<Finding>& findings);
// Blocks that live a short time.
void find_churn(const Evidence& evidence, std::vector<Finding>& findings);
// RSS against blocks.
void find_resident(const Evidence& evidence, std::vector<Finding>& findings);
// Pages that several processes share, and those that forked children made their own.
void find_sharing(const Evidence& evidence, std::vector<Finding>& findings);

// The peak without what Python imports before the program begins: what its own lines are measured
// by.
uint64_t program_peak(const Evidence& evidence);
double part_of(uint64_t part, uint64_t whole);
// Whether what was seen then is of the range that is asked about.
bool is_in_range(const reader::Query& query, double seconds);
// "Index.add (index_words.py:32)", or in words what is no line of anybody's program.
std::string place_text(const reader::Frame& frame, const reader::CaptureInfo& info);

}  // namespace memlens::report
