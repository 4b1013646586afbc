#include "report/cli/run/closing_words.h"

#include "interposer/recording/message.h"

#include "reader/text/columns.h"
#include "report/cli/run/capture_totals.h"
#include "report/cli/run/own_command.h"
#include "report/cli/run/typed_program.h"
#include "report/text/shell_word.h"

namespace memlens::report::cli {
namespace {

using recording::Ending;
using recording::print_line;

std::string plural(unsigned count, const char* singular, const char* several) {
  return std::to_string(count) + " " + (count == 1 ? singular : several);
}

// Why an empty recording is empty, said whatever --quiet says: zero must never pass for a result.
std::string nothing_recorded(const Ending& ending) {
  if (!ending.obstacle.empty()) {
    return "nothing was recorded: " + ending.command_name + " " + ending.obstacle;
  }
  if (ending.written_over) {
    return "nothing was recorded: " + ending.command_name +
           " wrote over the memory it shares with memlens, and what was in it is lost (a bug of "
           "the program: it writes where nothing of its own is)";
  }
  return "nothing was recorded: " + ending.command_name +
         " did not load libmemlens.so (a statically linked or otherwise protected program, or one "
         "that clears LD_PRELOAD)";
}

// A capture is called one when it has been read back.
void print_capture(const Ending& ending) {
  const CaptureCheck check = check_capture(ending.path, !ending.quiet && ending.processes != 0);
  if (!check.problem.empty()) {
    print_line("the capture was written and cannot be read: " + check.problem);
    return;
  }
  for (const std::string& left_out : check.left_out) {
    print_line("of what was recorded, " + left_out);
  }
  if (ending.tables && check.profiled_functions) {
    run_own_command({"lines", ending.path, "--profiled"}, CommandOutput::kStandardError);
  }
  // The failure itself was told when it happened.
  if (ending.quiet) return;
  const char* shortened = ending.write_failure != 0 ? "(cut short) "
                          : ending.interrupted      ? "(ended early) "
                                                    : "";
  print_line(std::string("capture ") + shortened + "written to " + ending.path);
  if (ending.processes == 0) return;
  if (!check.totals.empty()) print_line(check.totals);
  for (const std::string& finding : check.findings) print_line(finding);
  const std::string next = "next: " + typed_program();
  print_line(next + " summary " + shell_path(ending.path));
  print_line(next + " flamegraph " + shell_path(ending.path));
}

}  // namespace

void print_ending(const Ending& ending) {
  if (ending.processes_lost != 0) {
    print_line(plural(ending.processes_lost, "process was", "processes were") +
               " not recorded: too many at once");
  }
  if (ending.children_missing != 0 && !ending.quiet) {
    print_line(plural(ending.children_missing, "child process", "child processes") +
               " could not be recorded (or ended before they began)");
  }
  if (ending.damaged_chunks != 0) {
    print_line("the program wrote over " + plural(ending.damaged_chunks, "block", "blocks") +
               " of the recording's shared memory: what was there is left out");
  }
  if (ending.written_over && ending.processes != 0) {
    print_line(ending.command_name +
               " wrote over the memory it shares with memlens: what was in it then is lost");
  }
  if (ending.processes == 0) {
    print_line(nothing_recorded(ending));
  } else if (!ending.obstacle.empty()) {
    print_line("only what " + ending.command_name + " started was recorded: it " + ending.obstacle);
  }
  if (!ending.readable) return;
  if (ending.removed) {
    print_line(ending.path + " was removed or replaced while it was written: the capture is lost");
    return;
  }
  print_capture(ending);
}

}  // namespace memlens::report::cli
