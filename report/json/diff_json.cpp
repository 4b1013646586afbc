#include "report/json/diff_json.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "report/json/json_writer.h"
#include "report/json/stacks_json.h"

namespace memlens::report {
namespace {

void write_change(JsonWriter& json, const Change& change, bool sampled) {
  json.member("old_bytes", change.before.bytes);
  json.member("new_bytes", change.after.bytes);
  json.member("delta_bytes", change.delta_bytes());
  json.member("old_blocks", change.before.blocks);
  json.member("new_blocks", change.after.blocks);
  json.member("delta_blocks", change.delta_blocks());
  if (!sampled) return;
  json.member("delta_bytes_error", std::sqrt(change.variance().bytes));
  json.member("delta_blocks_error", std::sqrt(change.variance().blocks));
}

void write_capture(JsonWriter& json, const char* name, const reader::CaptureInfo& info) {
  json.key(name);
  json.begin_object();
  json.member("capture", info.path);
  json.member("complete", info.is_whole());
  json.key("command");
  json.begin_compact_array();
  for (const std::string& argument : info.command) json.value(argument);
  json.end_array();
  json.key("python");
  info.python ? json.value(*info.python) : json.null();
  json.member("hostname", info.hostname);
  json.member("duration_seconds", info.duration_seconds);
  json.member("sample_bytes", info.sample_bytes);
  json.end_object();
}

}  // namespace

void write_diff_json(std::ostream& out, const reader::CaptureInfo& old_info,
                     const reader::CaptureInfo& new_info, View view, const StackDiff& diff,
                     size_t limit) {
  const bool sampled = old_info.sample_bytes != 0 || new_info.sample_bytes != 0;
  const auto& stacks = diff.stacks();
  const size_t shown = limit == 0 ? stacks.size() : std::min(limit, stacks.size());

  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.diff/1");
  json.member("view", view_name(view));
  write_capture(json, "old", old_info);
  write_capture(json, "new", new_info);
  write_change(json, diff.total(), sampled);
  json.member("stack_count", static_cast<uint64_t>(stacks.size()));
  json.key("stacks");
  json.begin_array();
  for (const DiffStack& stack : std::span(stacks).first(shown)) {
    json.begin_object();
    write_change(json, stack.change, sampled);
    write_stack_frames(json, *stack.tree, stack.node);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
