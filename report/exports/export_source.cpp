#include "report/exports/export_source.h"

#include <algorithm>

#include "report/text/short_path.h"

namespace memlens::report {

std::string frame_label(const reader::Frame& frame, std::string_view working_directory) {
  std::string label(frame.function);
  if (frame.origin == reader::FrameOrigin::kLabel) return label;
  std::string place(frame.file.empty() ? std::string_view(short_module(frame.module))
                                       : short_path(frame.file, working_directory));
  if (place.empty()) return label;
  if (!frame.file.empty() && frame.line != 0) place += ":" + std::to_string(frame.line);
  return label + " (" + place + ")";
}

int32_t pid_of(const reader::CaptureInfo& info, uint32_t process_index) {
  const auto process =
      std::ranges::find(info.processes, process_index, &reader::ProcessInfo::index);
  return process == info.processes.end() ? 0 : process->pid;
}

int32_t tid_of(const reader::CaptureInfo& info, uint32_t process_index, uint32_t thread_index) {
  const auto thread = std::ranges::find_if(info.threads, [&](const reader::ThreadInfo& each) {
    return each.process_index == process_index && each.index == thread_index;
  });
  return thread == info.threads.end() ? 0 : thread->tid;
}

}  // namespace memlens::report
