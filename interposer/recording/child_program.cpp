#include "interposer/recording/child_program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "interposer/recording/run_error.h"
#include "interposer/recording/run_signals.h"

namespace memlens::recording {
namespace {

constexpr rlim_t kHighestInherited = 1000;

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void exec_program(const std::string& executable, char* const* arguments, char* const* environment) {
  execve(executable.c_str(), arguments, environment);
  // A script without "#!" is the shell's, as execvp has it.
  if (errno != ENOEXEC) return;
  std::vector<char*> shell = {const_cast<char*>("/bin/sh"), const_cast<char*>(executable.c_str())};
  for (char* const* argument = arguments + 1; *argument != nullptr; ++argument) {
    shell.push_back(*argument);
  }
  shell.push_back(nullptr);
  execve(shell[0], shell.data(), environment);
}

// In the child: exec, and its errno to the parent when there is something to tell.
[[noreturn]] void start_program(const ProgramStart& start, char* const* arguments,
                                char* const* environment, const sigset_t& original_mask, int go_fd,
                                int error_fd) {
  char go = 0;
  ssize_t count;
  while ((count = read(go_fd, &go, 1)) < 0 && errno == EINTR) {
  }
  if (count != 1) _exit(kOwnFailure);  // called off
  // Only now: until here Ctrl-C must not make a difference between the two.
  restore_original_signals();
  sigprocmask(SIG_SETMASK, &original_mask, nullptr);
  if (start.inherited_fd >= 0) dup2(start.segment_fd, start.inherited_fd);
  exec_program(start.executable, arguments, environment);
  const int error = errno;
  if (write(error_fd, &error, sizeof error) < 0) _exit(kOwnFailure);
  _exit(kCannotRun);
}

}  // namespace

void become_program(const std::string& executable, const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
  exec_program(executable, pointers_to(arguments).data(), pointers_to(environment).data());
}

int inherited_descriptor_number() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  return static_cast<int>(std::min(limit.rlim_cur, kHighestInherited)) - 1;
}

ChildProgram::ChildProgram(const ProgramStart& start) {
  const std::vector<char*> arguments = pointers_to(start.arguments);
  const std::vector<char*> environment = pointers_to(start.environment);
  int go[2];
  int error[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(error, O_CLOEXEC) != 0) {
    throw RunError(kOwnFailure, std::string("cannot make a pipe: ") + strerror(errno));
  }
  // A signal that comes before the child is the program waits for it, with the program's handling.
  sigset_t everything;
  sigset_t original_mask;
  sigfillset(&everything);
  sigprocmask(SIG_SETMASK, &everything, &original_mask);
  pid_ = fork();
  if (pid_ == 0) {
    close(go[1]);
    start_program(start, arguments.data(), environment.data(), original_mask, go[0], error[1]);
  }
  sigprocmask(SIG_SETMASK, &original_mask, nullptr);
  if (pid_ < 0) throw RunError(kOwnFailure, std::string("cannot fork: ") + strerror(errno));
  close(go[0]);
  close(error[1]);
  go_fd_ = go[1];
  error_fd_ = error[0];
}

ChildProgram::~ChildProgram() {
  if (error_fd_ >= 0) close(error_fd_);
  if (go_fd_ < 0) return;
  close(go_fd_);
  wait();
}

int ChildProgram::release() {
  const char go = 1;
  if (write(go_fd_, &go, 1) != 1) return errno;
  close(go_fd_);
  go_fd_ = -1;
  int error = 0;
  ssize_t count;
  while ((count = read(error_fd_, &error, sizeof error)) < 0 && errno == EINTR) {
  }
  close(error_fd_);
  error_fd_ = -1;
  return count == sizeof error ? error : 0;
}

std::optional<int> ChildProgram::ended() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

std::optional<int> ChildProgram::stopped() {
  siginfo_t info{};
  if (status_ || waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG) != 0 ||
      info.si_pid != pid_) {
    return {};
  }
  return info.si_status;
}

int ChildProgram::wait() {
  int status = 0;
  while (!status_) {
    if (waitpid(pid_, &status, 0) == pid_) {
      status_ = status;
    } else if (errno != EINTR) {
      status_ = 0;
    }
  }
  return *status_;
}

}  // namespace memlens::recording
