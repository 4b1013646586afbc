#include "report/json/json_writer.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "report/text/utf8.h"

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

void JsonWriter::write_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const DecodedCodePoint next = decode_utf8(text);
    text.remove_prefix(next.size_bytes);
    if (next.value == '"' || next.value == '\\') {
      quoted.push_back('\\');
      quoted.push_back(static_cast<char>(next.value));
    } else if (next.value < 0x20 || next.value == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(next.value));
      quoted += escape;
    } else {
      append_utf8(quoted, next.value);
    }
  }
  quoted.push_back('"');
  out_ << quoted;
}

}  // namespace memlens::report
