#include "report/cli/run/run_report.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "interposer/recording/message.h"
#include "interposer/recording/run_error.h"
#include "report/cli/run/closing_words.h"
#include "report/cli/run/own_command.h"
#include "report/cli/run/typed_program.h"

namespace memlens::report::cli {

using recording::kOwnFailure;
using recording::print_line;
using recording::RunError;

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
  if (run_own_command({"flamegraph", capture, "-f", "-o", path}, CommandOutput::kNowhere) == 0) {
    if (!quiet) print_line("report written to " + path);
  } else {
    print_line("no report was written; try: " + typed_program() + " flamegraph " + capture);
  }
}

void explain_interrupts(const std::string& capture) {
  if (isatty(STDERR_FILENO) == 0 || isatty(STDIN_FILENO) == 0) return;
  print_line("recording to " + capture +
             "; Ctrl-C goes to the program, a second one within 5 s ends the recording");
}

}  // namespace memlens::report::cli
