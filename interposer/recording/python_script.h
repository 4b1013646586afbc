// What `python X` would run, told apart from programs.
#pragma once

#include <string>

namespace memlens::recording {

// Whether a name is the interpreter's: "python3", "python3.14t", and debug builds: "python3.14d",
// Debian's "python3.14-dbg".
bool is_python_name(const std::string& name);
// The same of the last part of a path.
bool is_python_path(const std::string& path);

// The first line of a file when it starts with "#!", without that.
std::string interpreter_line(const std::string& path);

// Whether a script's "#!" names Python, by path or through env.
bool is_script_for_python(const std::string& path);

// Whether `word`, where a program's name is expected, can only be meant for Python: a .py file and
// its like; "-", the standard input; a folder or zip archive with a __main__.py; a script whose
// "#!" names Python but which the system would not start. With `python_given` (--python), also one
// that it would start, and any other file that is no program.
bool is_meant_for_python(const std::string& word, bool python_given);

// The name without an extension of Python's.
std::string without_python_extension(const std::string& name);

}  // namespace memlens::recording
