#include "report/cli/report_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <streambuf>
#include <vector>

namespace memlens::report::cli {
namespace {

[[noreturn]] void fail_to_write(const std::string& path, int reason) {
  throw std::runtime_error(path + ": cannot be written: " + std::strerror(reason));
}

// A stream into a descriptor that remembers why it failed.
class DescriptorBuffer : public std::streambuf {
 public:
  explicit DescriptorBuffer(int fd) : fd_(fd), buffer_(kBytes) {
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }
  int failure() const { return failure_; }

 protected:
  int_type overflow(int_type c) override {
    if (sync() != 0) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) {
      *pptr() = traits_type::to_char_type(c);
      pbump(1);
    }
    return traits_type::not_eof(c);
  }
  int sync() override {
    const char* at = pbase();
    while (at < pptr() && failure_ == 0) {
      const ssize_t count = ::write(fd_, at, static_cast<size_t>(pptr() - at));
      if (count > 0) {
        at += count;
      } else if (errno != EINTR) {
        failure_ = count < 0 ? errno : ENOSPC;
      }
    }
    setp(buffer_.data(), buffer_.data() + buffer_.size());
    return failure_ == 0 ? 0 : -1;
  }

 private:
  static constexpr size_t kBytes = 64 << 10;

  int fd_;
  int failure_ = 0;
  std::vector<char> buffer_;
};

// Closes `fd`. The reason why it failed; 0: it did not.
int write_to(int fd, const std::function<void(std::ostream&)>& write) {
  DescriptorBuffer buffer(fd);
  std::ostream out(&buffer);
  write(out);
  out.flush();
  int failure = buffer.failure();
  if (::close(fd) != 0 && failure == 0) failure = errno;
  return failure;
}

bool is_device_or_pipe(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

void check_report_file(const std::string& path, bool force) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || is_device_or_pipe(path)) return;
  if (S_ISDIR(status.st_mode)) throw std::runtime_error(path + ": is a directory");
  if (force) return;
  throw std::runtime_error(path + ": exists already; -f overwrites it, -o writes elsewhere");
}

void write_report_file(const std::string& path, const std::function<void(std::ostream&)>& write) {
  constexpr mode_t kMode = 0666;  // less the umask
  if (is_device_or_pipe(path)) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) fail_to_write(path, errno);
    if (const int failure = write_to(fd, write); failure != 0) fail_to_write(path, failure);
    return;
  }
  constexpr int kMaxNames = 1000;
  std::string unfinished;
  int fd = -1;
  for (int i = 0; fd < 0 && i < kMaxNames; ++i) {
    unfinished = path + "." + std::to_string(::getpid()) + "-" + std::to_string(i) + ".part";
    // A file or link of that name is somebody else's.
    fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) fail_to_write(path, errno);
  int failure = 0;
  try {
    failure = write_to(fd, write);
  } catch (...) {
    ::unlink(unfinished.c_str());
    throw;
  }
  if (failure == 0 && std::rename(unfinished.c_str(), path.c_str()) != 0) failure = errno;
  if (failure == 0) return;
  ::unlink(unfinished.c_str());
  fail_to_write(path, failure);
}

}  // namespace memlens::report::cli
