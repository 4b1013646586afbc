// A capture that is written bit by bit, under the lock that the collector holds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "interposer/format/file_layout.h"
#include "tests/support/temporary_file.h"

namespace memlens::testing {

class GrowingFile {
 public:
  // Throws std::runtime_error, as append() does.
  GrowingFile();
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  const std::string& path() const { return file_.path(); }
  void append(std::string_view bytes);

 private:
  TemporaryFile file_;
  int descriptor_;
};

// Where the frames of this kind end in a capture's bytes.
std::vector<size_t> ends_of(const std::string& capture, format::FrameKind kind);

}  // namespace memlens::testing
