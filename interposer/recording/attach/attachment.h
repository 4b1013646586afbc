// A recording of processes that run already, from the first question to the closing words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "interposer/collector/recording.h"
#include "interposer/recording/attach/attach_target.h"
#include "interposer/recording/mark_sources.h"
#include "interposer/recording/record_program.h"

namespace memlens::recording {

struct AttachOptions {
  int pid = 0;
  bool children = false;
  std::string output;
  bool force = false;
  bool native = false;
  bool no_native = false;
  bool python_allocators = true;
  bool follow = true;
  uint64_t sample_bytes = 0;
  RotationOptions rotation;
  MarkSources marks;
  double duration_seconds = 0;  // 0: until somebody ends it
  bool source = true;
  bool debuginfod = false;
  bool quiet = false;
  bool wakes_itself = false;  // the process has brought the library in and looks at its gate
  TellEnding tell_ending;     // called when it has ended
  bool tables = false;        // it reads on stderr those of the functions that it asked for
};

class Attachment {
 public:
  // Throws RunError when the process cannot be attached to; nothing has been done to it then.
  explicit Attachment(const AttachOptions& options);

  // Returns memlens's exit code.
  int record();

 private:
  collector::RecordingOptions recorded() const;
  void open();
  void ask();
  void add_children();
  bool serve();
  int64_t patience_ns() const;
  bool look_at_targets();
  void look_at_child(AttachTarget& child);
  void wait_for_late_answer();
  void give_up();
  std::string note() const;
  void tell_joined() const;
  void tell(const std::string& text) const;

  AttachOptions options_;
  AttachTarget first_;
  collector::Recording recording_;
  std::vector<std::unique_ptr<AttachTarget>>
      children_;  // that wait for an answer, or are tidied up
  std::vector<pid_t> seen_children_;
  unsigned children_joined_ = 0;
  RecordedRun run_;
  int generations_ = 0;  // of children that were looked for
  bool joined_ = false;
  int64_t started_ns_ = 0;
};

}  // namespace memlens::recording
