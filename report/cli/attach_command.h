// `memlens attach` and `memlens detach`.
#pragma once

#include "report/cli/command.h"

namespace memlens::report::cli {

void add_attach_commands(CLI::App& app, Action& chosen);

}  // namespace memlens::report::cli
