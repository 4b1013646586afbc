#include "reader/capture/module_map.h"

#include <algorithm>

namespace memlens::reader {

void ModuleMap::end(uint32_t id, uint64_t ticks) {
  for (auto module = modules_.rbegin(); module != modules_.rend(); ++module) {
    if (module->id == id) {
      module->end_ticks = ticks;
      return;
    }
  }
}

void ModuleMap::finish() {
  std::sort(modules_.begin(), modules_.end(), [](const Module& a, const Module& b) {
    return a.start != b.start ? a.start < b.start : a.ticks < b.ticks;
  });
  for (const Module& module : modules_) {
    if (module.end > module.start)
      longest_bytes_ = std::max(longest_bytes_, module.end - module.start);
  }
}

const Module* ModuleMap::find(uint64_t address) const {
  auto after = std::upper_bound(modules_.begin(), modules_.end(), address,
                                [](uint64_t value, const Module& m) { return value < m.start; });
  const Module* best = nullptr;
  while (after != modules_.begin()) {
    --after;
    if (address - after->start >= longest_bytes_) break;  // nothing further left reaches it
    if (address < after->end && (best == nullptr || after->ticks > best->ticks)) best = &*after;
  }
  return best;
}

}  // namespace memlens::reader
