// The capture's bytes. Read with pread, not mapped: the reader's memory does not grow with the
// file, and a file that is cut while it is read gives an error instead of SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

namespace memlens::reader {

// Somebody writes this capture now, as far as can be seen. False where there is none.
bool is_being_written(const std::string& path);

class Source {
 public:
  // Throws CaptureError when the file cannot be opened or is not a regular file.
  explicit Source(const std::string& path);
  ~Source();
  Source(Source&& other) noexcept;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  Source& operator=(Source&&) = delete;

  const std::string& path() const { return path_; }
  // As it was when last looked at: a capture still being written is read up to there.
  uint64_t size_bytes() const { return size_bytes_; }
  // Looks at the size again, and whether somebody still writes it. Returns by how much it has
  // grown. Throws CaptureError when it has shrunk.
  uint64_t look_again();

  // Somebody was writing it then, or will soon be.
  bool being_written() const { return being_written_; }
  // When the file was last written, as of then.
  const struct timespec& modified() const { return modified_; }

  // Fills `out` with the bytes at `offset`, which must lie within the file. Any thread may call it.
  void read(uint64_t offset, void* out, size_t size_bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t size_bytes_ = 0;
  struct timespec modified_ {};
  bool being_written_ = false;
};

}  // namespace memlens::reader
