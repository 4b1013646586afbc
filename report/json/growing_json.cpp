#include "report/json/growing_json.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "report/json/json_writer.h"
#include "report/json/left_out_json.h"
#include "report/json/stacks_json.h"

namespace memlens::report {
namespace {

int32_t pid_of(const reader::CaptureInfo& info, uint32_t process_index) {
  const auto process =
      std::ranges::find(info.processes, process_index, &reader::ProcessInfo::index);
  return process == info.processes.end() ? 0 : process->pid;
}

int32_t tid_of(const reader::CaptureInfo& info, const GrowingStack& stack) {
  const auto thread = std::ranges::find_if(info.threads, [&](const reader::ThreadInfo& each) {
    return each.process_index == stack.process_index && each.index == stack.thread_index;
  });
  return thread == info.threads.end() ? 0 : thread->tid;
}

void write_stack(JsonWriter& json, const reader::CaptureInfo& info, const GrowingStack& stack,
                 const FrameTree& tree) {
  const reader::GrowthPoint& last = stack.points.back();
  json.begin_object();
  json.member("bytes", last.bytes);
  json.member("blocks", last.blocks);
  if (info.sample_bytes != 0) json.member("bytes_error", std::sqrt(last.variance));
  json.member("gained_bytes", stack.gained_bytes());
  json.key("bytes_at_marks");
  json.begin_compact_array();
  for (const reader::GrowthPoint& point : stack.points) json.value(point.bytes);
  json.end_array();
  json.member("pid", pid_of(info, stack.process_index));
  json.member("thread", tid_of(info, stack));
  write_stack_frames(json, tree, stack.node);
  json.end_object();
}

void write_place(JsonWriter& json, const reader::CaptureInfo& info, const GrowingPlace& place) {
  json.begin_compact_object();
  json.member("function", place.frame->function);
  json.member("file", place.frame->file);
  json.member("line", place.frame->line);
  json.member("gained_bytes", place.gained_bytes);
  if (info.sample_bytes != 0) {
    json.member("gained_bytes_error", std::sqrt(place.points.back().variance));
  }
  json.member("bytes_per_second", place.bytes_per_second);
  json.member("since_seconds", place.since_seconds);
  json.member("stacks", static_cast<uint64_t>(place.stacks));
  json.member("shape", growth_shape_name(place.shape));
  json.key("bytes_at_marks");
  json.begin_compact_array();
  for (const reader::GrowthPoint& point : place.points) json.value(point.bytes);
  json.end_array();
  json.end_object();
}

}  // namespace

void write_growing_json(std::ostream& out, const reader::CaptureInfo& info,
                        const std::vector<reader::LeftOut>& left_out, const reader::Growth& growth,
                        const Growing& growing, const FrameTree& tree, size_t limit) {
  const std::vector<GrowingStack>& stacks = growing.stacks;
  reader::GrowthPoint total;
  for (const GrowingStack& stack : stacks) total += stack.points.back();
  const size_t shown = limit == 0 ? stacks.size() : std::min(limit, stacks.size());

  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.growing/1");
  json.member("view", "growing");
  json.member("complete", info.is_whole());
  write_left_out(json, info, left_out);
  json.member("total_bytes", total.bytes);
  json.member("total_blocks", total.blocks);
  if (info.sample_bytes != 0) {
    json.member("total_bytes_error", std::sqrt(total.variance));
    json.member("sample_bytes", info.sample_bytes);
  }
  json.member("stack_count", static_cast<uint64_t>(stacks.size()));
  json.key("marks_seconds");
  json.begin_compact_array();
  for (const double seconds : growth.seconds) json.value(seconds);
  json.end_array();
  json.member("freed_at_exit_bytes", growth.freed_at_exit_bytes);
  json.key("places");
  json.begin_array();
  const size_t places = limit == 0 ? growing.places.size() : std::min(limit, growing.places.size());
  for (const GrowingPlace& place : std::span(growing.places).first(places)) {
    write_place(json, info, place);
  }
  json.end_array();
  json.key("stacks");
  json.begin_array();
  for (const GrowingStack& stack : std::span(stacks).first(shown)) {
    write_stack(json, info, stack, tree);
  }
  json.end_array();
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
