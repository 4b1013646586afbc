// What a summary says, whether printed or written as JSON.
#pragma once

#include <vector>

#include "reader/analysis/analysis.h"
#include "report/view/locations.h"

namespace memlens::report {

struct Summary {
  const reader::CaptureInfo& info;
  const reader::Analysis& analysis;
  std::vector<Location> peak;  // every location of these views
  std::vector<Location> leaks;
  std::vector<Location> temporary;
};

}  // namespace memlens::report
