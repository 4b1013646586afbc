#include "reader/symbolizer/function_name.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "reader/symbolizer/rust_names.h"
#include "reader/symbolizer/shorten_name.h"

namespace memlens::reader {
namespace {

// The longest that real programs have are a few kilobytes. The demangler puts several times its
// input on the stack, and its output can be exponential in it.
constexpr size_t kMaxMangledBytes = 8192;

std::string demangle_cpp(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  return text == nullptr ? std::string() : std::string(text.get());
}

bool is_cpp(std::string_view symbol) {
  return symbol.starts_with("_Z") && symbol.size() <= kMaxMangledBytes;
}

}  // namespace

std::string demangle(std::string_view symbol) {
  if (std::optional<std::string> rust = demangle_rust(without_clone_suffix(symbol))) return *rust;
  std::string text = is_cpp(symbol) ? demangle_cpp(std::string(symbol)) : std::string();
  return text.empty() ? std::string(symbol) : text;
}

std::string display_name(std::string_view symbol) {
  const std::string_view plain = without_clone_suffix(symbol);
  if (std::optional<std::string> rust = demangle_rust(plain)) return *rust;
  if (is_cpp(plain)) {
    if (const std::string text = demangle_cpp(std::string(plain)); !text.empty()) {
      return shorten_cpp_name(text);
    }
  }
  return std::string(plain);
}

}  // namespace memlens::reader
