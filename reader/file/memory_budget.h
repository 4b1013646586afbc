// What reading a capture's names, stacks and samples may take of memory.
//
// Payloads are compressed, and a file of a few kilobytes can be made that expands to gigabytes.
// What a recording writes is varied and expands little: memory is proportional to the file, with
// enough besides for every small one.
#pragma once

#include <cstdint>
#include <stdexcept>

namespace memlens::reader {

class OverBudget : public std::runtime_error {
 public:
  OverBudget()
      : std::runtime_error("damaged: it would take memory out of all proportion to its size") {}
};

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t file_bytes) : left_bytes_(kAnyFile + kPerByte * file_bytes) {}

  // The file has grown.
  void add(uint64_t file_bytes) { left_bytes_ += kPerByte * file_bytes; }

  // Throws OverBudget.
  void spend(uint64_t bytes) {
    if (bytes > left_bytes_) throw OverBudget();
    left_bytes_ -= bytes;
  }

 private:
  static constexpr uint64_t kAnyFile = 384 << 20;
  static constexpr uint64_t kPerByte = 256;

  uint64_t left_bytes_;
};

}  // namespace memlens::reader
