// What every export is made from.
#pragma once

#include <string>

#include "reader/capture/inlined_frames.h"
#include "report/view/code_origin.h"
#include "report/view/stack_list.h"

namespace memlens::report {

struct ExportSource {
  const reader::CaptureInfo& info;
  const reader::Analysis& analysis;
  const FramesOf& frames_of;
  const CodeOrigins& origins;
  const reader::InlinedFrames& inlined;
};

// "Index.add (index_words.py:37)", "malloc (libc.so.6)": for formats whose frames are one text.
std::string frame_label(const reader::Frame& frame, std::string_view working_directory);

// The kernel's id of a process or thread; 0: not known.
int32_t pid_of(const reader::CaptureInfo& info, uint32_t process_index);
int32_t tid_of(const reader::CaptureInfo& info, uint32_t process_index, uint32_t thread_index);

}  // namespace memlens::report
