#include "report/text/short_function.h"

#include "reader/text/columns.h"
#include "report/text/short_path.h"

namespace memlens::report {
namespace {

// Arguments up to this long say more than an ellipsis: "std::vector<int>".
constexpr size_t kShortArguments = 12;

void remove_all(std::string& text, std::string_view part) {
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos;) text.erase(at, part.size());
}

// The place after the '>' that closes the '<' at `open`; npos: it is an operator's, or unbalanced.
size_t end_of_arguments(std::string_view name, size_t open) {
  int depth = 0;
  for (size_t i = open; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    const bool is_arrow = i > 0 && name[i - 1] == '-';
    if (name[i] == '>' && !is_arrow && --depth == 0) return i + 1;
  }
  return std::string_view::npos;
}

// "operator<", "<lambda>" and "<module>" are names, not arguments.
bool opens_arguments(std::string_view name, size_t at) {
  if (at == 0) return false;
  const char before = name[at - 1];
  const bool after_name = before == '_' || (before >= '0' && before <= '9') ||
                          (before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z');
  return after_name && !name.substr(0, at).ends_with("operator");
}

}  // namespace

std::string short_function(std::string_view name, bool unicode) {
  // What a stack is called that has native frames only, none of which is shown.
  if (name == "[native code]") return "[no Python frame]";
  std::string text = printable(name);
  // "_bz2.cpython-311-x86_64-linux-gnu.so+0x1a2b": a function without a name.
  if (text.find(".so+0x") != std::string::npos) text = short_module(text);
  remove_all(text, ".<locals>");
  remove_all(text, "(anonymous namespace)::");
  for (size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    const size_t end = opens_arguments(text, at) ? end_of_arguments(text, at) : std::string::npos;
    if (end == std::string::npos) {
      ++at;
    } else if (end - at - 2 <= kShortArguments) {
      at = end;
    } else {
      const std::string_view ellipsis = unicode ? "<…>" : "<..>";
      text.replace(at, end - at, ellipsis);
      at += ellipsis.size();
    }
  }
  return text;
}

}  // namespace memlens::report
