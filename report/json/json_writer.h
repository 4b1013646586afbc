// JSON written as it goes: a report of a million stacks needs no copy of itself in memory.
#pragma once

#include <cstdint>
#include <ostream>
#include <string_view>
#include <vector>

namespace memlens::report {

// Calls nest as the document does; the writer puts in commas and line ends. Bytes that are not
// UTF-8 become replacement characters: the output always parses.
class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  void begin_object() { open('{', true); }
  // On one line: for small objects of which there are many.
  void begin_compact_object() { open('{', false); }
  void end_object() { close('}'); }
  void begin_array() { open('[', true); }
  void begin_compact_array() { open('[', false); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(uint64_t number);
  void value(int64_t number);
  void value(uint32_t number) { value(static_cast<uint64_t>(number)); }
  void value(int32_t number) { value(static_cast<int64_t>(number)); }
  void value(double number);  // null when it is no number
  void value(bool flag);
  void null();

  template <typename Value>
  void member(std::string_view name, const Value& member_value) {
    key(name);
    value(member_value);
  }

  void finish() { out_ << '\n'; }

 private:
  struct Level {
    bool empty = true;
    bool one_per_line = true;
  };

  void open(char bracket, bool one_per_line);
  void close(char bracket);
  void before_item();
  void write_string(std::string_view text);

  std::ostream& out_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace memlens::report
