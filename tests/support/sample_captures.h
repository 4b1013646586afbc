// Named captures, one for each thing the format can hold and each way a file can be wrong. Golden
// files are made of them once; fuzzing starts from them.
#pragma once

#include <map>
#include <string>

namespace memlens::testing {

// By file name, without ".mlens".
std::map<std::string, std::string> sample_captures();

}  // namespace memlens::testing
