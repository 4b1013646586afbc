// One column of the page's data: numbers as varints, or text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace memlens::report::html {

class Column {
 public:
  explicit Column(std::string name) : name_(std::move(name)) {}

  void add(uint64_t value) {
    ++count_;
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  void add_text(std::string_view text) {
    bytes_ += text;
    count_ = bytes_.size();
  }

  nlohmann::json directory_entry() const { return {name_, count_, bytes_.size()}; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string name_;
  std::string bytes_;
  uint64_t count_ = 0;
};

}  // namespace memlens::report::html
