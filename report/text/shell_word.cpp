#include "report/text/shell_word.h"

#include <algorithm>
#include <cstdio>

#include "reader/text/utf8.h"

namespace memlens::report {
namespace {

bool needs_escapes(std::string_view word) {
  while (!word.empty()) {
    const reader::DecodedCodePoint next = reader::decode_utf8(word);
    if (!next.valid || reader::is_control(next.value)) return true;
    word.remove_prefix(next.size_bytes);
  }
  return false;
}

// bash's and zsh's, and POSIX's since 2024.
std::string escaped(std::string_view word) {
  std::string text = "$'";
  while (!word.empty()) {
    const reader::DecodedCodePoint next = reader::decode_utf8(word);
    for (const char c : word.substr(0, next.size_bytes)) {
      if (!next.valid || reader::is_control(next.value)) {
        // Octal: three digits end by themselves, whatever follows.
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\%03o", static_cast<unsigned char>(c));
        text += escape;
      } else {
        if (c == '\'' || c == '\\') text += '\\';
        text += c;
      }
    }
    word.remove_prefix(next.size_bytes);
  }
  return text + "'";
}

}  // namespace

std::string shell_word(std::string_view word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  if (needs_escapes(word)) return escaped(word);
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string shell_path(std::string_view path) {
  if (path.starts_with('-')) return shell_word("./" + std::string(path));
  return shell_word(path);
}

}  // namespace memlens::report
