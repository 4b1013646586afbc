#include "interposer/recording/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include "interposer/recording/run_error.h"

namespace memlens::recording {
namespace {

// A capture holds arguments, folders, names and the host's name.
constexpr mode_t kMode = 0600;
constexpr int kMaxDefaultNames = 1000;

[[noreturn]] void cannot_create(const std::string& path) {
  throw RunError(kOwnFailure, "cannot create " + path + ": " + strerror(errno));
}

OutputFile identified(OutputFile file) {
  struct stat status {};
  if (file.fd >= 0 && fstat(file.fd, &status) == 0) {
    file.device = status.st_dev;
    file.inode = status.st_ino;
  }
  return file;
}

OutputFile create_new(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
  return identified({fd, path, true});
}

OutputFile open_existing(const std::string& path, bool force) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) cannot_create(path);
  if (S_ISCHR(status.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) cannot_create(path);
    return {fd, path, false};
  }
  if (!S_ISREG(status.st_mode)) throw RunError(kOwnFailure, path + " is not a file");
  if (!force) {
    throw RunError(kOwnFailure, path + " exists; give another name, or -f to overwrite it");
  }
  if (access(path.c_str(), W_OK) != 0) cannot_create(path);
  // Replaced rather than cut: a reader may have the old capture open. A link stays a link.
  struct stat link {};
  if (lstat(path.c_str(), &link) == 0 && S_ISREG(link.st_mode) && unlink(path.c_str()) == 0) {
    OutputFile file = create_new(path);
    if (file.fd >= 0) return file;
  }
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
  if (fd < 0) cannot_create(path);
  return identified({fd, path, true});
}

}  // namespace

bool is_still_there(const OutputFile& file) {
  struct stat status {};
  return stat(file.path.c_str(), &status) == 0 && status.st_dev == file.device &&
         status.st_ino == file.inode;
}

OutputFile existing_output(const std::string& path) {
  OutputFile file{-1, path, true};
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    file.device = status.st_dev;
    file.inode = status.st_ino;
  }
  return file;
}

std::string expand_output_pattern(const std::string& pattern, int pid) {
  std::string path;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char letter = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (letter == 'p') {
      path += std::to_string(pid);
    } else if (letter == 'h') {
      char host[HOST_NAME_MAX + 1] = {};
      gethostname(host, sizeof host - 1);
      path += host;
    } else if (letter == 't') {
      path += std::to_string(time(nullptr));
    } else if (letter == '%') {
      path += '%';
    } else {
      path += pattern[i];
      continue;
    }
    ++i;
  }
  return path;
}

OutputFile create_output(const std::string& pattern, const std::string& name, int pid, bool force) {
  if (!pattern.empty()) {
    const std::string path = expand_output_pattern(pattern, pid);
    OutputFile file = create_new(path);
    if (file.fd >= 0) return file;
    if (errno != EEXIST) cannot_create(path);
    return open_existing(path, force);
  }
  // Pids come round again: an old capture of the same pid is no reason to fail.
  const std::string stem = "memlens-" + name + "-" + std::to_string(pid);
  std::string path = stem + ".mlens";
  for (int i = 2; i <= kMaxDefaultNames; ++i) {
    OutputFile file = create_new(path);
    if (file.fd >= 0) return file;
    if (errno != EEXIST) break;
    if (force) return open_existing(path, true);
    path = stem + "-" + std::to_string(i) + ".mlens";
  }
  cannot_create(path);
}

}  // namespace memlens::recording
