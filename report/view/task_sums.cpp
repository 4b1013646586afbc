#include "report/view/task_sums.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>
#include <unordered_map>

namespace memlens::report {

std::vector<TaskSum> sum_tasks(const reader::Capture& capture,
                               const std::vector<reader::Site>& sites) {
  if (!capture.has_tasks()) return {};
  std::vector<TaskSum> sums(1);  // outside of tasks
  std::map<std::tuple<std::string_view, std::string_view, uint32_t>, size_t> places;
  std::unordered_map<uint64_t, size_t> place_of_node;
  for (const reader::Site& site : sites) {
    const uint64_t node = static_cast<uint64_t>(site.process_index) << 32 | site.node;
    const auto [known, is_new] = place_of_node.try_emplace(node, 0);
    if (is_new) {
      if (const std::optional<reader::Frame> task = capture.task(site.process_index, site.node)) {
        const auto [place, added] =
            places.try_emplace({task->function, task->file, task->line}, sums.size());
        if (added) sums.emplace_back().task = task;
        known->second = place->second;
      }
    }
    TaskSum& sum = sums[known->second];
    sum.peak += site.peak;
    sum.leaked += site.leaked;
    sum.allocated += site.allocated;
  }
  std::stable_sort(sums.begin() + 1, sums.end(), [](const TaskSum& a, const TaskSum& b) {
    return std::pair(a.peak.bytes, a.allocated.bytes) > std::pair(b.peak.bytes, b.allocated.bytes);
  });
  std::rotate(sums.begin(), sums.begin() + 1, sums.end());
  return sums;
}

}  // namespace memlens::report
