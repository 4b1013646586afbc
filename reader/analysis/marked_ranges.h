// The ranges a program marked: from a mark "NAME" to the next mark "NAME (end)" of the same
// process.
//
// A test suite marks each of its tests so. The memory of a range is that of the blocks allocated in
// it, as if recording had begun with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"

namespace memlens::reader {

inline constexpr std::string_view kRangeEndSuffix = " (end)";

struct MarkedRange {
  std::string name;
  uint32_t process_index = 0;
  double from_seconds = 0;
  std::optional<double> to_seconds;  // missing: it goes on to the end
  uint64_t from_ticks = 0;
  uint64_t to_ticks = UINT64_MAX;

  // Filled in by measure_ranges().
  uint64_t peak_bytes = 0;
  uint64_t peak_blocks = 0;
  uint64_t leaked_bytes = 0;  // not freed by its end
  uint64_t leaked_blocks = 0;
  uint64_t allocations = 0;
  uint64_t allocated_bytes = 0;
};

// By time. Ranges of one process may overlap.
std::vector<MarkedRange> find_ranges(const Capture& capture);

// One pass over the events for all of them; each event costs as many steps as ranges are open.
// Memory follows the blocks that were allocated in an open range. Mappings count as asked for.
// Throws CaptureError.
void measure_ranges(const Capture& capture, std::vector<MarkedRange>& ranges);

// All views of the query's range as if recording had begun with it: blocks from before are not
// known, not at the peak either, and chunks of events that ended by then are not read. Mappings
// count as asked for. Throws CaptureError.
Analysis analyze_range(const Capture& capture, const Query& query);

}  // namespace memlens::reader
