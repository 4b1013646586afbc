// Names come from other programs and may hold any bytes: what is shown is valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace memlens::reader {

inline constexpr char32_t kReplacement = 0xFFFD;

struct DecodedCodePoint {
  char32_t value = kReplacement;  // of invalid bytes as well
  uint8_t size_bytes = 1;
  bool valid = false;
};

// The first code point of a text that is not empty. Of invalid input one replacement stands for as
// many bytes as could have begun a code point, as browsers and Python do.
DecodedCodePoint decode_utf8(std::string_view text);

// Whether a terminal could take it for an order, or for what turns the text around it: controls of
// C0 and C1, line and paragraph separators, marks of direction, and invisible tags.
bool is_control(char32_t code_point);

void append_utf8(std::string& text, char32_t code_point);

// The same text, with a replacement character for what is not UTF-8.
std::string valid_utf8(std::string_view text);

}  // namespace memlens::reader
