// Which native functions are a program's own, by language: C, C++, Rust, Go, and the interpreters
// that others are run by.
#pragma once

#include <string_view>

#include "reader/capture/capture.h"

namespace memlens::report {

// Inside the C++ or Rust library or an operator new: how a container allocates, not which.
bool is_container_machinery(const reader::Frame& frame);

// Allocates on behalf of its caller, or begins a program, a thread or a library.
bool is_native_machinery(const reader::Frame& frame);

// A function of memlens.h by which a program's own pool tells of a block.
bool is_pool_report(const reader::Frame& frame);
// "arena_alloc", "Arena::allocate", "NewAllocator".
bool names_allocation(std::string_view function);

// Go's runtime, and what cgo puts between Go and C.
bool is_go_runtime(const reader::Frame& frame);

// By the source file: a crate, a Go module, a package manager's folder.
bool is_package_source(std::string_view file);
// Rust's and Go's standard libraries, headers of the system.
bool is_standard_library_source(std::string_view file);

// CPython, the JVM, node, Ruby, Perl, ...: a file that runs programs of another language.
bool is_interpreter_module(std::string_view module);
// The C and C++ runtimes and the loader.
bool is_runtime_module(std::string_view module);
// Among the system's shared libraries.
bool is_system_library(std::string_view module);
// A program that the system's packages installed.
bool is_system_program(std::string_view module);

}  // namespace memlens::report
