#include "report/cli/run/own_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "interposer/recording/message.h"
#include "report/cli/run/closing_words.h"

namespace memlens::report::cli {

using recording::print_line;

int run_own_command(const std::vector<std::string>& arguments, CommandOutput output) {
  std::vector<char*> words = {const_cast<char*>("memlens")};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output == CommandOutput::kNowhere) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  }
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    print_line("memlens " + arguments.front() + " could not be started: " + strerror(error));
    return error;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return status;
}

}  // namespace memlens::report::cli
