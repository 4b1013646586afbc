// Inflates the debug files a program will need while it still runs, on processor time nobody wants.
//
// libc's takes 15 ms of the 35 that are left to do when a short Python program has ended. Which it
// is shows in the program's mappings, before a single address is known. A process of its own does
// it, under SCHED_IDLE: debug files are not to be trusted with the recording's. It sends each copy,
// a file in memory, to the one that started it, and is gone after a second or two, when what a
// program is made of has been loaded. A killed one, or one that never gets a turn, costs nothing
// but what would have been done later anyway.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "interposer/symbolizer/inflated_file.h"

namespace memlens::symbolizer {

class EarlyInflation {
 public:
  // `program` is a running process. Forks: no other thread may run.
  EarlyInflation(pid_t program, const std::vector<std::string>& debug_directories);
  ~EarlyInflation();
  EarlyInflation(const EarlyInflation&) = delete;
  EarlyInflation& operator=(const EarlyInflation&) = delete;

  // The program has ended: nothing new is begun.
  void end();

  // What is ready, also for a process forked from this one. One process may ask, any thread of it.
  InflatedFiles& files() { return files_; }

 private:
  pid_t helper_ = -1;
  int socket_ = -1;
  InflatedFiles files_;
};

}  // namespace memlens::symbolizer
