#include "reader/text/columns.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "reader/text/utf8.h"

namespace memlens {
namespace {

struct Range {
  char32_t first, last;
};

bool is_in(char32_t value, const Range* begin, const Range* end) {
  return std::any_of(begin, end, [&](Range r) { return value >= r.first && value <= r.last; });
}

// Zero columns: combining marks, joiners, variation selectors.
constexpr Range kCombining[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},
                                {0x610, 0x61A},   {0x64B, 0x65F},   {0x1AB0, 0x1AFF},
                                {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF},
                                {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};

// Two columns: East Asian wide and fullwidth characters, emoji.
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
                           {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
                           {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                           {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

size_t width_of(char32_t value) {
  if (value < 0x300) return 1;
  if (is_in(value, std::begin(kCombining), std::end(kCombining))) return 0;
  return is_in(value, std::begin(kWide), std::end(kWide)) ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const reader::DecodedCodePoint next = reader::decode_utf8(text);
    if (next.value == '\t') {
      result.push_back(' ');
    } else {
      reader::append_utf8(result,
                          reader::is_control(next.value) ? reader::kReplacement : next.value);
    }
    text.remove_prefix(next.size_bytes);
  }
  return result;
}

size_t column_count(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const reader::DecodedCodePoint next = reader::decode_utf8(text);
    columns += width_of(next.value);
    text.remove_prefix(next.size_bytes);
  }
  return columns;
}

std::string cut_end(std::string_view text, size_t columns, bool unicode) {
  if (column_count(text) <= columns) return std::string(text);
  const std::string_view mark = unicode ? "…" : "..";
  const size_t mark_columns = unicode ? 1 : 2;
  if (columns <= mark_columns) return std::string(columns, '.');
  std::string_view rest = text;
  size_t kept = 0;
  while (!rest.empty()) {
    const reader::DecodedCodePoint next = reader::decode_utf8(rest);
    if (kept + width_of(next.value) > columns - mark_columns) break;
    kept += width_of(next.value);
    rest.remove_prefix(next.size_bytes);
  }
  return std::string(text.substr(0, text.size() - rest.size())).append(mark);
}

std::string cut_start(std::string_view text, size_t columns, bool unicode) {
  size_t width = column_count(text);
  if (width <= columns) return std::string(text);
  const std::string_view mark = unicode ? "…" : "..";
  const size_t mark_columns = unicode ? 1 : 2;
  if (columns <= mark_columns) return std::string(columns, '.');
  while (!text.empty() && width > columns - mark_columns) {
    const reader::DecodedCodePoint next = reader::decode_utf8(text);
    width -= width_of(next.value);
    text.remove_prefix(next.size_bytes);
  }
  return std::string(mark).append(text);
}

std::string cut_folders(std::string_view path, size_t columns, bool unicode) {
  if (column_count(path) <= columns) return std::string(path);
  std::string cut = cut_start(path, columns, unicode);
  const size_t slash = cut.find('/');
  if (slash == std::string::npos) return cut;
  return std::string(unicode ? "…" : "..").append(cut, slash);
}

}  // namespace memlens
