// Manual pages in man(7), from what --help says and the prose that belongs to a manual alone.
#pragma once

#include <ostream>
#include <span>
#include <string>

#include "report/cli/shell/command_outline.h"

namespace memlens::report::cli {

struct ProgramOutline {
  std::string description;
  std::string footer;
  std::span<const CommandOutline> commands;
};

// memlens(1)
void write_manual_page(std::ostream& out, const ProgramOutline& program);

// memlens-COMMAND(1)
void write_manual_page(std::ostream& out, const CommandOutline& command);

}  // namespace memlens::report::cli
