// Runs a helper program and reads what it prints.
#pragma once

#include <string>
#include <vector>

namespace memlens::recording {

// The first line of its standard output; empty when it cannot be run or fails. Its input is empty
// and its standard error dropped.
std::string output_of(const std::vector<std::string>& command);

}  // namespace memlens::recording
