// Function names as short as they stay clear: for terminals only, JSON has them whole.
#pragma once

#include <string>
#include <string_view>

namespace memlens::report {

// Without Python's ".<locals>" and C++'s "(anonymous namespace)::"; long template
// arguments become an ellipsis: "std::vector<…>::push_back". Printable.
std::string short_function(std::string_view name, bool unicode);

}  // namespace memlens::report
