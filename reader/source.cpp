#include "reader/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "reader/error.h"

namespace memlens::reader {

Source::Source(const std::string& path) : path_(path) {
  // Not blocking: a pipe without a writer is refused like any pipe, not waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw CaptureError(path, std::strerror(errno));
  struct stat status;
  const char* problem = nullptr;
  if (::fstat(descriptor_, &status) != 0) {
    problem = std::strerror(errno);
  } else if (S_ISDIR(status.st_mode)) {
    problem = "is a directory, not a memlens capture";
  } else if (!S_ISREG(status.st_mode)) {
    problem = "is not a regular file";
  }
  if (problem != nullptr) {
    ::close(descriptor_);
    throw CaptureError(path, problem);
  }
  size_bytes_ = static_cast<uint64_t>(status.st_size);
  modified_ = status.st_mtim;
  // Frames are read in file order, more or less.
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

Source::~Source() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Source::Source(Source&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_),
      modified_(other.modified_) {}

void Source::read(uint64_t offset, void* out, size_t size_bytes) const {
  auto* next = static_cast<char*>(out);
  while (size_bytes > 0) {
    const ssize_t got = ::pread(descriptor_, next, size_bytes, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw CaptureError(path_, offset, std::string("reading failed: ") + std::strerror(errno));
    }
    if (got == 0) throw CaptureError(path_, offset, "the file became shorter while it was read");
    next += got;
    offset += static_cast<uint64_t>(got);
    size_bytes -= static_cast<size_t>(got);
  }
}

}  // namespace memlens::reader
