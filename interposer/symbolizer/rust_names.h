// Rust's two mangling schemes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace memlens::symbolizer {

// "_ZN4core3fmt5write17h0123456789abcdefE" as "core::fmt::write", and "_RNv..." (RFC 2603)
// likewise, without hashes. Nothing when the symbol is not Rust's or is malformed.
std::optional<std::string> demangle_rust(std::string_view symbol);

}  // namespace memlens::symbolizer
