// The capture's name and its creation.
#pragma once

#include <cstdint>
#include <string>

namespace memlens::recording {

// %p pid, %h host, %t time (seconds since 1970), %% a percent sign; anything else stays.
std::string expand_output_pattern(const std::string& pattern, int pid);

struct OutputFile {
  int fd = -1;
  std::string path;
  bool regular = false;  // can be read again and cut
  uint64_t device = 0;   // of a regular file: which it is
  uint64_t inode = 0;
};

// Whether the path still names the regular file: nobody removed or replaced it.
bool is_still_there(const OutputFile& file);

// A regular file that is there, as one that was created.
OutputFile existing_output(const std::string& path);

// Creates the file the pattern names, for the program `pid`; an empty pattern is
// "memlens-<name>-<pid>.mlens". An existing regular file is overwritten only with `force`, and then
// replaced: who has the old one open keeps it. A new file is its owner's alone. Throws RunError.
OutputFile create_output(const std::string& pattern, const std::string& name, int pid, bool force);

}  // namespace memlens::recording
