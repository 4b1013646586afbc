// What shells and `man` are given: made from the commands themselves.
#pragma once

#include "report/cli/command.h"

namespace memlens::report::cli {

// `memlens completion bash|zsh|fish`, and `memlens manual [COMMAND]`, which --help does not list.
void add_shell_commands(CLI::App& app, Action& chosen);

}  // namespace memlens::report::cli
