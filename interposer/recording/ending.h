// How a recording ended, for who tells the user.
#pragma once

#include <functional>
#include <string>

namespace memlens::recording {

struct Ending {
  std::string path;
  bool readable = true;      // false: a device; there is nothing to look at
  bool removed = false;      // somebody took the file away
  bool quiet = false;        // problems only, and tables that the program asked for
  bool tables = true;        // those of profiled functions
  bool interrupted = false;  // ended before the program did
  int write_failure = 0;     // errno; 0: none
  unsigned processes = 0;
  unsigned processes_lost = 0;
  unsigned children_missing = 0;  // started, never joined
  unsigned damaged_chunks = 0;    // of shared memory, by stray writes
  bool written_over = false;      // the shared memory as a whole, likewise
  std::string command_name;       // what was run, for messages
  std::string obstacle;           // why it could not be recorded
};

using TellEnding = std::function<void(const Ending&)>;

}  // namespace memlens::recording
