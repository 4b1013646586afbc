// What a summary says, whether printed or written as JSON.
#pragma once

#include "reader/analysis/analysis.h"
#include "report/explain/answers.h"
#include "report/view/task_sums.h"

namespace memlens::report {

struct Summary {
  const reader::CaptureInfo& info;
  const reader::Analysis& analysis;
  const Answers& answers;
  std::vector<TaskSum> tasks;  // empty: none
  const std::vector<reader::AllocatorSample>& allocators;
};

}  // namespace memlens::report
