#include "interposer/symbolizer/function_name.h"

#include "interposer/symbolizer/bounded_demangle.h"
#include "interposer/symbolizer/rust_names.h"
#include "interposer/symbolizer/shorten_name.h"

namespace memlens::symbolizer {
namespace {

// The longest that real programs have are a few kilobytes. The demangler puts several times its
// input on the stack.
constexpr size_t kMaxMangledBytes = 8192;

constexpr std::string_view kStubSuffix = "@plt";  // plt_stubs.h

bool is_cpp(std::string_view symbol) {
  return symbol.starts_with("_Z") && symbol.size() <= kMaxMangledBytes;
}

}  // namespace

std::string demangle(std::string_view symbol) {
  if (std::optional<std::string> rust = demangle_rust(without_clone_suffix(symbol))) return *rust;
  std::string text = is_cpp(symbol) ? bounded_demangle(std::string(symbol)) : std::string();
  return text.empty() ? std::string(symbol) : text;
}

std::string display_name(std::string_view symbol) {
  if (symbol.ends_with(kStubSuffix) && symbol.size() > kStubSuffix.size()) {
    symbol.remove_suffix(kStubSuffix.size());
    return display_name(symbol).append(kStubSuffix);
  }
  const std::string_view plain = without_clone_suffix(symbol);
  if (std::optional<std::string> rust = demangle_rust(plain)) return *rust;
  if (is_cpp(plain)) {
    if (const std::string text = bounded_demangle(std::string(plain)); !text.empty()) {
      return shorten_cpp_name(text);
    }
  }
  return std::string(plain);
}

}  // namespace memlens::symbolizer
