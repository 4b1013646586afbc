#include "report/json/left_out_json.h"

#include <algorithm>

namespace memlens::report {
namespace {

const char* kind_name(reader::LeftOutKind kind) {
  switch (kind) {
    case reader::LeftOutKind::kEvents:
      return "events";
    case reader::LeftOutKind::kMetadata:
      return "metadata";
    case reader::LeftOutKind::kOther:
      break;
  }
  return "other";
}

void write_entry(JsonWriter& json, const reader::CaptureInfo& info, const reader::LeftOut& entry) {
  const auto process =
      std::ranges::find(info.processes, entry.process_index, &reader::ProcessInfo::index);
  const auto thread = std::ranges::find_if(info.threads, [&](const reader::ThreadInfo& each) {
    return each.process_index == entry.process_index && each.index == entry.thread_index;
  });
  json.begin_compact_object();
  json.member("what", kind_name(entry.kind));
  json.member("pid", process != info.processes.end() ? process->pid : 0);
  json.member("thread", thread != info.threads.end() ? thread->tid : 0);
  json.member("count", entry.count);
  json.member("offset", entry.offset);
  json.member("reason", entry.reason);
  json.end_object();
}

}  // namespace

void write_left_out(JsonWriter& json, const reader::CaptureInfo& info,
                    const std::vector<reader::LeftOut>& events) {
  json.key("left_out");
  json.begin_array();
  for (const reader::LeftOut& entry : events) write_entry(json, info, entry);
  for (const reader::LeftOut& entry : info.left_out) write_entry(json, info, entry);
  json.end_array();
}

}  // namespace memlens::report
