// How --help looks, the same for every command.
#pragma once

#include <CLI/CLI.hpp>

namespace memlens::report::cli {

// To be called before subcommands are added: they take it over.
void use_help_format(CLI::App& app);

}  // namespace memlens::report::cli
