// Which package or library a frame belongs to, by its file: what the table groups "by module".
#pragma once

#include <string>
#include <string_view>

namespace memlens::report::html {

// The part of a path below Python's own library or its site-packages; empty if it is in neither.
std::string_view path_in_python_library(std::string_view path);

// The package of a Python file: the top-level package of an installed file, the path's first part
// below the project, or the file's own name.
std::string python_module_name(std::string_view path, std::string_view project_directory);

// Frozen or not, the machinery behind `import`.
bool is_import_system(std::string_view python_file);

// A native module that is the Python interpreter itself: libpython3.x or a python3 executable.
bool is_interpreter(std::string_view module_path);

}  // namespace memlens::report::html
