// Commands that compare, judge, list and export; as in command.h.
#pragma once

#include "report/cli/command.h"

namespace memlens::report::cli {

void add_lines_command(CLI::App& app, Action& chosen);
void add_diff_command(CLI::App& app, Action& chosen);
void add_check_command(CLI::App& app, Action& chosen);
void add_ranges_command(CLI::App& app, Action& chosen);
void add_export_command(CLI::App& app, Action& chosen);
void add_plot_command(CLI::App& app, Action& chosen);

}  // namespace memlens::report::cli
