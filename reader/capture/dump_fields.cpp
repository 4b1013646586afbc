#include "reader/capture/dump_fields.h"

#include <cstdio>

#include "reader/text/utf8.h"

namespace memlens::reader {

DumpFields& DumpFields::number(const char* name, uint64_t value) {
  begin(name);
  text_ += std::to_string(value);
  return *this;
}

DumpFields& DumpFields::hex(const char* name, uint64_t value) {
  begin(name);
  char digits[24];
  std::snprintf(digits, sizeof digits, "0x%llx", static_cast<unsigned long long>(value));
  text_ += digits;
  return *this;
}

DumpFields& DumpFields::seconds(const char* name, double value) {
  begin(name);
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.9f", value);
  text_ += digits;
  return *this;
}

DumpFields& DumpFields::word(const char* name, std::string_view value) {
  begin(name);
  text_ += value;
  return *this;
}

DumpFields& DumpFields::string(const char* name, std::string_view value) {
  begin(name);
  text_ += '"';
  while (!value.empty()) {
    const DecodedCodePoint next = decode_utf8(value);
    if (next.value == '"' || next.value == '\\') text_ += '\\';
    for (const char c : value.substr(0, next.size_bytes)) {
      if (!next.valid || is_control(next.value)) {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
        text_ += escape;
      } else {
        text_ += c;
      }
    }
    value.remove_prefix(next.size_bytes);
  }
  text_ += '"';
  return *this;
}

void DumpFields::begin(const char* name) {
  if (!text_.empty()) text_ += ' ';
  text_ += name;
  text_ += '=';
}

}  // namespace memlens::reader
