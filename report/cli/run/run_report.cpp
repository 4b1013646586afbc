#include "report/cli/run/run_report.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "report/cli/run/closing_words.h"
#include "report/cli/run/run_error.h"

namespace memlens::report::cli {
namespace {

// Standard output is the program's: what the command says there goes nowhere. 0: it succeeded.
int run_flamegraph(const std::string& capture, const std::string& path) {
  const char* const arguments[] = {"memlens", "flamegraph", capture.c_str(), "-f",
                                   "-o",      path.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr,
                                const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    print_line("the report could not be started: " + std::string(strerror(error)));
    return error;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return status;
}

}  // namespace

void check_report_path(const std::string& path, bool force) {
  std::error_code ignored;
  if (!force && std::filesystem::exists(path, ignored)) {
    throw RunError(kOwnFailure, path + " exists; -f overwrites it");
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && access(folder.c_str(), W_OK) != 0) {
    throw RunError(kOwnFailure, "cannot write " + path + ": " + strerror(errno));
  }
}

void write_run_report(const std::string& capture, const std::string& path, bool quiet) {
  if (run_flamegraph(capture, path) == 0) {
    if (!quiet) print_line("report written to " + path);
  } else {
    print_line("no report was written; try: memlens flamegraph " + capture);
  }
}

void explain_interrupts(const std::string& capture) {
  if (isatty(STDERR_FILENO) == 0 || isatty(STDIN_FILENO) == 0) return;
  print_line("recording to " + capture +
             "; Ctrl-C goes to the program, a second one within 5 s ends the recording");
}

}  // namespace memlens::report::cli
