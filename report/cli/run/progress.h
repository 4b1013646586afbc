// A line on the terminal that says how a long recording is getting on.
#pragma once

#include <cstdint>

namespace memlens::report::cli {

// Shown only where it disturbs nobody: stderr is a terminal, the program's output goes elsewhere,
// and no full-screen program has taken the terminal over.
class Progress {
 public:
  explicit Progress(bool quiet);
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

}  // namespace memlens::report::cli
