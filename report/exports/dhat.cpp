#include "report/exports/dhat.h"

#include <algorithm>
#include <cmath>

#include "report/json/json_writer.h"
#include "report/terminal/wording.h"
#include "report/view/stack_sums.h"

namespace memlens::report {
namespace {

uint64_t microseconds(double seconds) { return static_cast<uint64_t>(std::llround(seconds * 1e6)); }

// As valgrind writes them: readers take function, file and line out of it.
std::string frame_text(const reader::Frame& frame) {
  std::string text = "0x0: " + std::string(frame.function);
  if (!frame.file.empty()) {
    return text + " (" + std::string(frame.file) + ":" + std::to_string(frame.line) + ")";
  }
  return frame.module.empty() ? text + " (in ?)" : text + " (in " + std::string(frame.module) + ")";
}

void write_program_point(JsonWriter& json, const FrameTree& tree, const StackSums& stack) {
  const reader::Tally& all = stack.of(View::kAllocations);
  const reader::Tally& peak = stack.of(View::kPeak);
  const reader::Tally& end = stack.of(View::kLeaks);
  json.begin_compact_object();
  // Of a range of time, a block at the peak may be older than it.
  json.member("tb", std::max({all.bytes, peak.bytes, end.bytes}));
  json.member("tbk", std::max({all.blocks, peak.blocks, end.blocks}));
  json.member("tl", uint64_t{0});
  json.member("mb", std::max(peak.bytes, end.bytes));
  json.member("mbk", std::max(peak.blocks, end.blocks));
  json.member("gb", peak.bytes);
  json.member("gbk", peak.blocks);
  json.member("eb", end.bytes);
  json.member("ebk", end.blocks);
  json.key("fs");
  json.begin_compact_array();
  for (FrameTree::NodeId node = stack.node; node != FrameTree::kRoot; node = tree.parent(node)) {
    json.value(tree.frame_id(node) + 1);  // 0 is the root
  }
  json.end_array();
  json.end_object();
}

}  // namespace

void write_dhat(std::ostream& out, const ExportSource& source) {
  FrameTree tree;
  const std::vector<StackSums> stacks =
      sum_stacks(source.analysis.sites, Grouping::kByFrames, source.frames_of, tree);
  JsonWriter json(out);
  json.begin_object();
  json.member("dhatFileVersion", uint64_t{2});
  json.member("mode", "heap");
  json.member("verb", "Allocated");
  json.member("bklt", true);
  json.member("bkacc", false);
  json.member("tu", "\u00b5s");
  json.member("Mtu", "s");
  json.member("tuth", uint64_t{0});
  json.member("cmd", std::string_view(command_text(source.info.command)));
  json.member("pid", source.info.processes.empty() ? 0 : source.info.processes.front().pid);
  json.member("te", microseconds(source.info.duration_seconds));
  json.member("tg", microseconds(source.analysis.totals.peak_seconds));
  json.key("pps");
  json.begin_array();
  for (const StackSums& stack : stacks) write_program_point(json, tree, stack);
  json.end_array();
  json.key("ftbl");
  json.begin_array();
  json.value("[root]");
  for (const reader::Frame& frame : tree.frames()) json.value(std::string_view(frame_text(frame)));
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
