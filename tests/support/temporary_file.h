// A file that lives as long as the object.
#pragma once

#include <string>
#include <string_view>

namespace memlens::testing {

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view bytes);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void overwrite(std::string_view bytes) const;

 private:
  std::string path_;
};

}  // namespace memlens::testing
