// Scripts by which shells complete memlens's commands, options and their values.
#pragma once

#include <ostream>
#include <span>

#include "report/cli/shell/command_outline.h"

namespace memlens::report::cli {

void write_bash_completion(std::ostream& out, std::span<const CommandOutline> commands);
void write_zsh_completion(std::ostream& out, std::span<const CommandOutline> commands);
void write_fish_completion(std::ostream& out, std::span<const CommandOutline> commands);

}  // namespace memlens::report::cli
