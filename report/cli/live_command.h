#pragma once

#include "report/cli/command.h"

namespace memlens::report::cli {

void add_live_command(CLI::App& app, Action& chosen);

}  // namespace memlens::report::cli
