// The text of a line of `memlens dump`: "name=value" fields, in one string that is used again and
// again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace memlens::reader {

class DumpFields {
 public:
  void clear() { text_.clear(); }
  std::string_view text() const { return text_; }

  DumpFields& number(const char* name, uint64_t value);
  DumpFields& hex(const char* name, uint64_t value);
  DumpFields& seconds(const char* name, double value);
  // As it is; string() quotes it, and escapes what a terminal or a reader of lines would act upon.
  DumpFields& word(const char* name, std::string_view value);
  DumpFields& string(const char* name, std::string_view value);

 private:
  void begin(const char* name);

  std::string text_;
};

}  // namespace memlens::reader
