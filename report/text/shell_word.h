// Words of a command line as a shell takes them: for commands that are shown to be typed.
#pragma once

#include <string>
#include <string_view>

namespace memlens::report {

// As it is where that is plain, else quoted; what no terminal should see is escaped ($'\x1b').
std::string shell_word(std::string_view word);

// The same of a file's name, which must not be taken for an option.
std::string shell_path(std::string_view path);

}  // namespace memlens::report
