// What a summary says, whether printed or written as JSON.
#pragma once

#include "reader/analysis/analysis.h"
#include "report/explain/answers.h"

namespace memlens::report {

struct Summary {
  const reader::CaptureInfo& info;
  const reader::Analysis& analysis;
  const Answers& answers;
};

}  // namespace memlens::report
