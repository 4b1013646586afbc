// What the HTML page shows, before it is written: one call tree, the places that allocate in it,
// and when. Views, ranges and every other way of looking are computed from it in the browser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "reader/analysis/analysis.h"
#include "reader/analysis/range_matrix.h"
#include "reader/capture/heap_table.h"

namespace memlens::report::html {

// Values are part of the page's data; page/capture.js names them too.
enum class FrameKind : uint8_t {
  kPython = 0,
  kNative = 1,
  kInterpreter = 2,  // native frames of the Python interpreter itself
  kLabel = 3,        // supplied by memlens: what is unknown or left out
  kOthers = 4,       // small nodes merged to keep the page within its budget
  kTask = 5,         // an asyncio task: no call, shown when asked for
};

// Interned text. Id 0 is the empty string.
class StringTable {
 public:
  StringTable() { intern(""); }
  uint32_t intern(std::string_view text);
  const std::vector<std::string>& strings() const { return strings_; }

 private:
  std::vector<std::string> strings_;
  std::unordered_map<std::string, uint32_t> ids_;
};

struct PageFrame {
  uint32_t function = 0;  // string ids
  uint32_t file = 0;
  uint32_t module = 0;
  uint32_t source = 0;
  uint32_t line = 0;
  FrameKind kind = FrameKind::kLabel;
  bool import_system = false;

  bool operator==(const PageFrame&) const = default;
};

// Node 0 is the root and has no frame. Parents come before their children.
struct PageNode {
  uint32_t parent = 0;
  uint32_t frame = 0;
  uint32_t merged = 0;  // kOthers: how many nodes it stands for
};

// Blocks made at a node by one thread through one allocation function.
struct PageSite {
  uint32_t node = 0;
  uint32_t lane = 0;
  format::AllocationKind kind = format::AllocationKind::kMalloc;
  reader::RangeSite range;
};

// One curve of the memory-over-time chart: values at evenly spaced points.
struct PageCurve {
  std::string name;            // "heap", "heap_high", "resident"
  uint32_t process_index = 0;  // 0: all together
  std::vector<uint64_t> values;
};

struct PageModel {
  // Facts shown as they are: capture, totals, processes, lanes, marks, options.
  nlohmann::json about;
  StringTable strings;
  reader::HeapTable heaps;
  std::vector<PageFrame> frames;
  std::vector<PageNode> nodes{PageNode{}};
  std::vector<PageSite> sites;

  // Buckets of equal length between two times; the sites' cells refer to them
  // (reader/analysis/range_matrix.h).
  double axis_from_seconds = 0;
  double axis_to_seconds = 0;
  std::vector<reader::RangeBucket> buckets;
  std::vector<PageCurve> curves;
};

}  // namespace memlens::report::html
