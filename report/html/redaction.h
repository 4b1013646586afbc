// What --redact leaves out, so that a report can be shown to others: where on the machine the
// project lies (and with it the names of users), the arguments of commands, and source text.
#pragma once

#include <string>
#include <string_view>

namespace memlens::report::html {

// Below the project: relative to it. A package or a module of Python's own: from the package on.
// Any other absolute path: its last part. What is no path stays as it is.
std::string redact_path(std::string_view path, std::string_view project_directory);

}  // namespace memlens::report::html
