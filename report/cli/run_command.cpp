#include "report/cli/run_command.h"

#include <cstdio>

namespace memlens::report::cli {

int run_command(int, char**) {
  std::fputs("memlens: this build cannot record\n", stderr);
  return 125;
}

}  // namespace memlens::report::cli
