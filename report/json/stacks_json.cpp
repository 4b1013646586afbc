#include "report/json/stacks_json.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "report/json/json_writer.h"
#include "report/json/left_out_json.h"

namespace memlens::report {
namespace {

// Task frames are there only where they were asked for.
std::string_view kind_of(reader::FrameOrigin origin) {
  switch (origin) {
    case reader::FrameOrigin::kPython:
      return "python";
    case reader::FrameOrigin::kTask:
      return "task";
    default:
      return "native";
  }
}

void write_frame(JsonWriter& json, const reader::Frame& frame) {
  json.begin_compact_object();
  json.member("function", frame.function);
  json.member("file", frame.file);  // empty and 0: unknown
  json.member("line", frame.line);
  json.member("kind", kind_of(frame.origin));
  if (!frame.module.empty()) json.member("module", frame.module);
  if (!frame.source.empty()) json.member("source", frame.source);
  json.end_object();
}

void write_stack(JsonWriter& json, const Stack& stack, const FrameTree& tree, int32_t pid,
                 int32_t tid, bool sampled, const reader::HeapTable& heaps) {
  json.begin_object();
  json.member("bytes", stack.tally.bytes);
  json.member("blocks", stack.tally.blocks);
  if (sampled) {
    json.member("bytes_error", std::sqrt(stack.tally.variance.bytes));
    json.member("blocks_error", std::sqrt(stack.tally.variance.blocks));
  }
  json.member("pid", pid);
  json.member("thread", tid);
  json.key("allocated_by");
  json.begin_compact_object();
  for (const StackPart& part : stack.parts) {
    json.key(heaps.function_name(part.kind));
    json.begin_compact_object();
    json.member("bytes", part.tally.bytes);
    json.member("blocks", part.tally.blocks);
    json.end_object();
  }
  json.end_object();
  write_stack_frames(json, tree, stack.node);
  json.end_object();
}

}  // namespace

void write_stack_frames(JsonWriter& json, const FrameTree& tree, FrameTree::NodeId leaf) {
  json.key("frames");
  json.begin_array();
  tree.for_each_frame(leaf, [&](const reader::Frame& frame) { write_frame(json, frame); });
  json.end_array();
}

void write_stacks_json(std::ostream& out, const reader::CaptureInfo& info,
                       const std::vector<reader::LeftOut>& left_out, View view,
                       const StackList& list, const FrameTree& tree, size_t limit) {
  std::map<uint32_t, int32_t> pids;
  for (const reader::ProcessInfo& process : info.processes) pids[process.index] = process.pid;
  std::map<std::pair<uint32_t, uint32_t>, int32_t> tids;
  for (const reader::ThreadInfo& thread : info.threads) {
    tids[{thread.process_index, thread.index}] = thread.tid;
  }
  const auto& stacks = list.stacks();
  const size_t shown = limit == 0 ? stacks.size() : std::min(limit, stacks.size());

  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.stacks/1");
  json.member("view", view_name(view));
  json.member("complete", info.is_whole());
  write_left_out(json, info, left_out);
  json.member("total_bytes", list.total().bytes);
  json.member("total_blocks", list.total().blocks);
  const bool sampled = info.sample_bytes != 0;
  if (sampled) {
    json.member("total_bytes_error", std::sqrt(list.total().variance.bytes));
    json.member("total_blocks_error", std::sqrt(list.total().variance.blocks));
    json.member("sample_bytes", info.sample_bytes);
  }
  json.member("stack_count", static_cast<uint64_t>(stacks.size()));
  json.key("stacks");
  json.begin_array();
  for (const Stack& stack : std::span(stacks).first(shown)) {
    write_stack(json, stack, tree, pids[stack.process_index],
                tids[{stack.process_index, stack.thread_index}], sampled, info.heaps);
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
