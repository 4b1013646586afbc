// Memory by asyncio task: tasks of one coroutine function count together, and apart by the names
// they were given.
//
// Invariant: the sums equal the totals; what no task made is the last one.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::report {

struct TaskSum {
  std::optional<reader::Frame> task;  // none: outside of tasks
  reader::Tally peak;
  reader::Tally leaked;
  reader::Tally allocated;

  // "[task crawler-1: fetch]"
  std::string_view name() const { return task ? task->function : "[outside of tasks]"; }
};

// Most at the peak first. Empty when the capture knows no task.
std::vector<TaskSum> sum_tasks(const reader::Capture& capture,
                               const std::vector<reader::Site>& sites);

}  // namespace memlens::report
