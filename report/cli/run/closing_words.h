// What memlens says on stderr when a recording has ended.
#pragma once

#include "interposer/recording/ending.h"

namespace memlens::report::cli {

void print_ending(const recording::Ending& ending);

}  // namespace memlens::report::cli
