// From a symbol to the name a report shows.
#pragma once

#include <string>
#include <string_view>

namespace memlens::symbolizer {

// C++ (Itanium) and Rust (both schemes) symbols in full; any other text as it is.
std::string demangle(std::string_view symbol);

// Demangled and shortened (shorten_name.h). `symbol` may be anything a symbol table holds, symbol
// versions and compilers' clone suffixes included. Never empty unless `symbol` is.
std::string display_name(std::string_view symbol);

}  // namespace memlens::symbolizer
