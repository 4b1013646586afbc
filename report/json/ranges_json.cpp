#include "report/json/ranges_json.h"

#include <algorithm>

#include "report/json/json_writer.h"
#include "report/json/stacks_json.h"

namespace memlens::report {
namespace {

void write_stacks(JsonWriter& json, const char* name, const std::vector<Stack>& stacks,
                  const FrameTree& tree) {
  json.key(name);
  json.begin_array();
  for (const Stack& stack : stacks) {
    json.begin_object();
    json.member("bytes", stack.tally.bytes);
    json.member("blocks", stack.tally.blocks);
    write_stack_frames(json, tree, stack.node);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_ranges_json(std::ostream& out, const reader::CaptureInfo& info,
                       std::span<const ShownRange> ranges, size_t range_count,
                       const FrameTree& tree) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.ranges/1");
  json.member("capture", info.path);
  json.member("complete", info.is_whole());
  json.member("range_count", static_cast<uint64_t>(range_count));
  json.key("ranges");
  json.begin_array();
  for (const ShownRange& shown : ranges) {
    const reader::MarkedRange& range = shown.range;
    const auto process =
        std::ranges::find(info.processes, range.process_index, &reader::ProcessInfo::index);
    shown.has_stacks ? json.begin_object() : json.begin_compact_object();
    json.member("name", range.name);
    json.member("pid", process == info.processes.end() ? 0 : process->pid);
    json.member("from_seconds", range.from_seconds);
    json.key("to_seconds");
    range.to_seconds ? json.value(*range.to_seconds) : json.null();
    json.member("peak_bytes", range.peak_bytes);
    json.member("peak_blocks", range.peak_blocks);
    json.member("leaked_bytes", range.leaked_bytes);
    json.member("leaked_blocks", range.leaked_blocks);
    json.member("allocations", range.allocations);
    json.member("allocated_bytes", range.allocated_bytes);
    if (shown.has_stacks) {
      write_stacks(json, "peak", shown.peak, tree);
      write_stacks(json, "leaks", shown.leaks, tree);
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
