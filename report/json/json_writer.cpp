#include "report/json/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "reader/text/utf8.h"

namespace memlens::report {

void JsonWriter::before_item() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  Level& level = levels_.back();
  if (!level.empty) out_ << ',';
  if (level.one_per_line) {
    out_ << '\n' << std::string(levels_.size(), ' ');
  } else if (!level.empty) {
    out_ << ' ';
  }
  level.empty = false;
}

void JsonWriter::open(char bracket, bool one_per_line) {
  before_item();
  out_ << bracket;
  levels_.push_back({true, one_per_line});
}

void JsonWriter::close(char bracket) {
  const Level level = levels_.back();
  levels_.pop_back();
  if (level.one_per_line && !level.empty) out_ << '\n' << std::string(levels_.size(), ' ');
  out_ << bracket;
}

void JsonWriter::key(std::string_view name) {
  before_item();
  write_string(name);
  out_ << ": ";
  after_key_ = true;
}

void JsonWriter::value(std::string_view text) {
  before_item();
  write_string(text);
}

void JsonWriter::value(uint64_t number) {
  before_item();
  out_ << number;
}

void JsonWriter::value(int64_t number) {
  before_item();
  out_ << number;
}

void JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  before_item();
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out_.write(text, end - text);
}

void JsonWriter::value(bool flag) {
  before_item();
  out_ << (flag ? "true" : "false");
}

void JsonWriter::null() {
  before_item();
  out_ << "null";
}

namespace {

// For terminals' sake, more than JSON asks for. Beyond 16 bits as a surrogate pair.
std::string escape(char32_t code_point) {
  char text[16];
  if (code_point < 0x10000) {
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(code_point));
  } else {
    const unsigned offset = static_cast<unsigned>(code_point) - 0x10000;
    std::snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (offset >> 10),
                  0xDC00 + (offset & 0x3FF));
  }
  return text;
}

bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

}  // namespace

// Mostly there is nothing to escape: such runs are written as they are.
void JsonWriter::write_string(std::string_view text) {
  out_ << '"';
  while (!text.empty()) {
    const auto plain_end = std::ranges::find_if_not(text, is_plain);
    const auto plain_bytes = plain_end - text.begin();
    out_.write(text.data(), plain_bytes);
    text.remove_prefix(static_cast<size_t>(plain_bytes));
    if (text.empty()) break;
    const reader::DecodedCodePoint next = reader::decode_utf8(text);
    text.remove_prefix(next.size_bytes);
    std::string escaped;
    if (next.value == '"' || next.value == '\\') {
      escaped = {'\\', static_cast<char>(next.value)};
    } else if (reader::is_control(next.value)) {
      escaped = escape(next.value);
    } else {
      reader::append_utf8(escaped, next.value);
    }
    out_ << escaped;
  }
  out_ << '"';
}

}  // namespace memlens::report
