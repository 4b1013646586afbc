// Starts the program to be recorded, in two steps: the pid is needed for the capture's name before
// the program may run, and the environment needs the capture's session.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace memlens::recording {

struct ProgramStart {
  std::string executable;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  int segment_fd = -1;    // given to the program ...
  int inherited_fd = -1;  // ... as this descriptor; -1: not at all
};

class ChildProgram {
 public:
  // Forks a child that waits for release(). It gets back the signal handling that this process was
  // started with. Throws RunError.
  explicit ChildProgram(const ProgramStart& start);
  // A child that was not released ends without having run anything.
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  pid_t pid() const { return pid_; }

  // Lets it become the program. Returns the errno of a failed exec, 0 once the program runs.
  int release();

  // Without blocking: the wait status once it ended.
  std::optional<int> ended();
  // The signal that stopped it, when it has stopped since the last call.
  std::optional<int> stopped();
  // Blocks until it ends.
  int wait();

 private:
  pid_t pid_ = 0;
  int go_fd_ = -1;
  int error_fd_ = -1;
  std::optional<int> status_;
};

// Replaces this process by the program, a script without "#!" by its shell. Returns, with errno,
// when that fails.
void become_program(const std::string& executable, const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment);

// Where programs find the segment inherited: high, out of the way of those that count on low ones.
int inherited_descriptor_number();

}  // namespace memlens::recording
