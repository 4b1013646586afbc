// Commands that the Python package does: `push`, and files that its libraries write.
#pragma once

#include <string>
#include <vector>

#include "report/cli/command.h"

namespace memlens::report::cli {

// So that --help and completions know `push`.
void add_push_command(CLI::App& app, Action& chosen);

// Whether memlens's arguments ask for something of the package's.
bool is_for_python_package(const std::vector<std::string>& arguments);

// Becomes `python3 -m memlens ARGUMENTS`, of the environment that memlens is installed in, else of
// PATH. Throws std::runtime_error: there is no Python.
[[noreturn]] void become_python_package(const std::vector<std::string>& arguments);

}  // namespace memlens::report::cli
