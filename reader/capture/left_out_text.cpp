#include "reader/capture/left_out_text.h"

#include <algorithm>

namespace memlens::reader {

namespace {

std::string counted(uint64_t count, const char* one, const char* several) {
  return std::to_string(count) + " " + (count == 1 ? one : several);
}

std::string name_of_process(uint32_t index, const CaptureInfo& info) {
  const auto process = std::ranges::find(info.processes, index, &ProcessInfo::index);
  if (process == info.processes.end() || process->pid == 0)
    return "process number " + std::to_string(index);
  return "process " + std::to_string(process->pid);
}

std::string name_of_thread(const LeftOut& left_out, const CaptureInfo& info) {
  const auto thread = std::ranges::find_if(info.threads, [&](const ThreadInfo& each) {
    return each.process_index == left_out.process_index && each.index == left_out.thread_index;
  });
  if (thread == info.threads.end() || thread->tid == 0)
    return "thread number " + std::to_string(left_out.thread_index);
  const std::string name = thread->name.empty() ? "" : " (" + thread->name + ")";
  return "thread " + std::to_string(thread->tid) + name;
}

}  // namespace

std::string describe(const LeftOut& left_out, const CaptureInfo& info) {
  const char* are = left_out.count == 1 ? " makes" : " make";
  const char* left = left_out.count == 1 ? " is" : " are";
  const std::string why = std::string(are) + " no sense and" + left +
                          " left out (the first at byte " + std::to_string(left_out.offset) + ": " +
                          left_out.reason + ")";
  switch (left_out.kind) {
    case LeftOutKind::kEvents:
      return counted(left_out.count, "block", "blocks") + " of events of " +
             name_of_thread(left_out, info) + " of " +
             name_of_process(left_out.process_index, info) + why + "; the totals lack them";
    case LeftOutKind::kMetadata:
      return counted(left_out.count, "record", "records") + " of names and stacks of " +
             name_of_process(left_out.process_index, info) + why +
             "; what needs them is shown as unknown";
    case LeftOutKind::kOther:
      break;
  }
  return counted(left_out.count, "record", "records") + " of the collector" + why;
}

}  // namespace memlens::reader
