// What who records says on stderr.
#pragma once

#include <string>

namespace memlens::recording {

// "memlens: <text>", in one write.
void print_line(const std::string& text);

}  // namespace memlens::recording
