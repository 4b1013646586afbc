#include "reader/text/utf8.h"

#include <algorithm>

namespace memlens::reader {

DecodedCodePoint decode_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};

  uint8_t size = 0;
  // The second byte's range keeps out overlong forms, surrogates and values above U+10FFFF.
  unsigned char low = 0x80, high = 0xBF;
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
    value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    value = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    value = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  for (uint8_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {kReplacement, i, false};
    value = value << 6 | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {value, size, true};
}

bool is_control(char32_t code_point) {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range kControls[] = {{0x00, 0x1F},      {0x7F, 0x9F},     {0x61C, 0x61C},
                                        {0x200E, 0x200F},  {0x2028, 0x202E}, {0x2066, 0x2069},
                                        {0xE0000, 0xE007F}};
  return std::ranges::any_of(kControls, [&](Range range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const DecodedCodePoint next = decode_utf8(text);
    append_utf8(result, next.value);
    text.remove_prefix(next.size_bytes);
  }
  return result;
}

}  // namespace memlens::reader
