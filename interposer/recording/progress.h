// A line on the terminal that says how a long recording is getting on.
#pragma once

#include <cstdint>

namespace memlens::recording {

// Whether it would disturb nobody: stderr is a terminal and the program's output goes elsewhere. To
// be asked while stdout is still the program's.
bool progress_disturbs_nobody();

// Not shown either while a full-screen program has taken the terminal over.
class Progress {
 public:
  explicit Progress(bool allowed);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t now_ns, uint64_t file_bytes, unsigned processes);
  void clear();

 private:
  bool allowed_;
  bool shown_ = false;
  int64_t start_ns_;
  int64_t next_ns_;
};

}  // namespace memlens::recording
