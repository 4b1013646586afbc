// Which Python files are a project's, installed, or Python's own.
#pragma once

#include <string_view>

#include "reader/capture/capture.h"

namespace memlens::report {

// Part of how Python imports a module, not of the module.
bool is_import_machinery(const reader::Frame& frame);

// Python's `site`, which runs .pth files and sitecustomize before the program begins: what they
// import is start-up, whichever package it is in.
bool is_site_startup(const reader::Frame& frame);

// What runs until everything is done, and calls what others asked it to: not for its caller.
bool is_event_loop(const reader::Frame& frame);

bool is_installed_python(std::string_view file);
bool is_standard_library_python(std::string_view file);

// `bin/pytest`: a script that pip writes to call a package.
bool is_entry_script(std::string_view file);

}  // namespace memlens::report
