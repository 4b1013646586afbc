// How a command is added: a function each, in a file of its own, called by main.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace memlens::report::cli {

// What the command line asked for; main runs it after parsing and returns its exit code.
// Throws reader::CaptureError or std::exception: one line on stderr and exit code 1.
using Action = std::function<int()>;

void add_summary_command(CLI::App& app, Action& chosen);
void add_stacks_commands(CLI::App& app, Action& chosen);  // peak, leaks, temporary, allocations
void add_explain_command(CLI::App& app, Action& chosen);
void add_growing_command(CLI::App& app, Action& chosen);
void add_tree_command(CLI::App& app, Action& chosen);
void add_flamegraph_command(CLI::App& app, Action& chosen);
void add_mark_command(CLI::App& app, Action& chosen);
void add_rotate_command(CLI::App& app, Action& chosen);
void add_dump_command(CLI::App& app, Action& chosen);

}  // namespace memlens::report::cli
