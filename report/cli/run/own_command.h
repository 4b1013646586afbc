// Another command of memlens, in a process of its own: what it reads and what becomes of it are not
// this one's.
#pragma once

#include <string>
#include <vector>

namespace memlens::report::cli {

enum class CommandOutput { kNowhere, kStandardError };

// Standard output is the program's: what the command says there goes elsewhere. 0: it succeeded;
// another number: it said why on stderr.
int run_own_command(const std::vector<std::string>& arguments, CommandOutput output);

}  // namespace memlens::report::cli
