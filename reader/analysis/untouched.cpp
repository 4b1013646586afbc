#include "reader/analysis/untouched.h"

#include <algorithm>

namespace memlens::reader {
namespace {

// Less is not worth telling apart.
constexpr uint64_t kLeastBytes = uint64_t{1} << 20;

}  // namespace

UntouchedBytes find_untouched(const Mappings& mappings, const std::vector<ResidentRange>& ranges) {
  UntouchedBytes found;
  for (const ResidentRange& range : ranges) {
    const uint64_t range_end = range.start + range.bytes;
    struct Part {
      uint32_t mapping;
      uint64_t bytes;
    };
    std::vector<Part> parts;
    uint64_t mapped = 0;
    mappings.for_each_range([&](uint64_t begin, uint64_t end, const Mapping& mapping) {
      const uint64_t from = std::max(begin, range.start);
      const uint64_t to = std::min(end, range_end);
      if (from >= to) return;
      parts.push_back({mapping.number, to - from});
      mapped += to - from;
    });
    const uint64_t unmapped = range.bytes - std::min(range.bytes, mapped);
    const uint64_t untouched = range.bytes - range.touched_bytes;
    if (untouched < unmapped + kLeastBytes) continue;
    const auto share = static_cast<double>(untouched - unmapped) / static_cast<double>(mapped);
    for (const Part& part : parts) {
      const auto bytes = static_cast<uint64_t>(share * static_cast<double>(part.bytes));
      found[part.mapping] += std::min(bytes, part.bytes);
    }
  }
  return found;
}

}  // namespace memlens::reader
