// `memlens run`: records a program. It parses its own arguments, because what follows the program's
// name is the program's, and a script's exit code is the run's.
#pragma once

namespace memlens::report::cli {

// argv[0] is "run". Returns the exit code of memlens.
int run_command(int argc, char** argv);

}  // namespace memlens::report::cli
