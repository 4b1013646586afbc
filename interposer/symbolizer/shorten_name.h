// The rules that make demangled names fit to read. All of them are in shorten_name.cpp.
#pragma once

#include <string>
#include <string_view>

namespace memlens::symbolizer {

// "std::string const& foo<int>(std::vector<int, std::allocator<int> >&) const" as "foo<int>".
// Text that is not understood is returned with as much shortened as is certain.
std::string shorten_cpp_name(std::string_view demangled);

// Drops what compilers append to copies of a function (".constprop.0", ".cold", ".llvm.123") and
// symbol versions ("@@GLIBC_2.2.5").
std::string_view without_clone_suffix(std::string_view symbol);

}  // namespace memlens::symbolizer
