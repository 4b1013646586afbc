// A failure of memlens itself before the program runs: one line on stderr and an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace memlens::recording {

// As env(1), timeout(1) and the shells number them.
inline constexpr int kOwnFailure = 125;
inline constexpr int kCannotRun = 126;
inline constexpr int kNotFound = 127;

class RunError : public std::runtime_error {
 public:
  RunError(int exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

}  // namespace memlens::recording
