#include "reader/file/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "reader/file/error.h"

namespace memlens::reader {

namespace {

// The collector locks what it writes (interposer/collector/capture_writer).
bool is_locked(int descriptor) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

}  // namespace

bool is_being_written(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool locked = is_locked(descriptor);
  ::close(descriptor);
  return locked;
}

Source::Source(const std::string& path) : path_(path) {
  // Not blocking: a pipe without a writer is refused like any pipe, not waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw CaptureError(path, std::strerror(errno));
  // Before the size: a trailer is written under the lock, so without either it was cut.
  being_written_ = is_locked(descriptor_);
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
      modified_(other.modified_),
      being_written_(other.being_written_) {}

uint64_t Source::look_again() {
  being_written_ = is_locked(descriptor_);
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) throw CaptureError(path_, std::strerror(errno));
  const auto size_bytes = static_cast<uint64_t>(status.st_size);
  if (size_bytes < size_bytes_)
    throw CaptureError(path_, size_bytes, "the file became shorter while it was read");
  modified_ = status.st_mtim;
  const uint64_t added_bytes = size_bytes - size_bytes_;
  size_bytes_ = size_bytes;
  return added_bytes;
}

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
