#include "report/html/page_frames.h"

#include "reader/text/base_name.h"
#include "report/html/module_name.h"
#include "report/html/redaction.h"

namespace memlens::report::html {

PageFrame PageFrames::make(const reader::Frame& frame, StringTable& strings) const {
  PageFrame result;
  result.function = strings.intern(frame.function);
  result.file = strings.intern(shown_path(frame.file));
  result.line = frame.line;
  if (!redact_) result.source = strings.intern(frame.source);
  switch (frame.origin) {
    case reader::FrameOrigin::kPython:
      result.kind = FrameKind::kPython;
      result.import_system = is_import_system(frame.file);
      result.module = strings.intern(python_module_name(frame.file, info_.working_directory));
      break;
    case reader::FrameOrigin::kNative:
      result.kind = is_interpreter(frame.module) ? FrameKind::kInterpreter : FrameKind::kNative;
      result.module = strings.intern(shown_path(frame.module));
      break;
    case reader::FrameOrigin::kTask:
      result.kind = FrameKind::kTask;
      break;
    case reader::FrameOrigin::kLabel:
      break;
  }
  return result;
}

std::string PageFrames::shown_path(std::string_view path) const {
  return redact_ ? redact_path(path, info_.working_directory) : std::string(path);
}

std::vector<std::string> PageFrames::command() const {
  if (!redact_ || info_.command.empty()) return info_.command;
  return {std::string(reader::base_name(info_.command[0]))};
}

}  // namespace memlens::report::html
