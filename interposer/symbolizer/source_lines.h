// The text of the source lines that stacks refer to, read while the sources are still at hand.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace memlens::symbolizer {

class SourceLines {
 public:
  // Relative names are those of files below `working_directory`.
  explicit SourceLines(std::string working_directory)
      : working_directory_(std::move(working_directory)) {}

  // Asks for a line. A file modified after `unchanged_since_unix_ns` is not the one that ran or was
  // compiled, and gives no text.
  void want(std::string_view file, uint32_t line, uint64_t unchanged_since_unix_ns);

  // Reads the files and hands over source frames' payloads (FORMAT.md), each of about a megabyte.
  // Returns how many lines were found.
  size_t read(const std::function<void(std::string payload)>& append) const;

 private:
  struct File {
    std::set<uint32_t> lines;
    uint64_t unchanged_since_unix_ns = UINT64_MAX;
  };

  std::string working_directory_;
  std::map<std::string, File, std::less<>> files_;
  size_t wanted_ = 0;
};

}  // namespace memlens::symbolizer
