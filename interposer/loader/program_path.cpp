#include "interposer/loader/program_path.h"

#include <sys/auxv.h>
#include <sys/stat.h>

#include <cstring>

#include "interposer/loader/base_name.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer {
namespace {

constexpr char kExecutable[] = "/proc/self/exe";

bool are_same_file(const char* a, const char* b) {
  struct stat a_status, b_status;
  return system_call::read_status_at(AT_FDCWD, a, a_status) &&
         system_call::read_status_at(AT_FDCWD, b, b_status) && a_status.st_dev == b_status.st_dev &&
         a_status.st_ino == b_status.st_ino;
}

// ld-linux-x86-64.so.2, ld-2.31.so, ld-musl-x86_64.so.1, ld.so
bool is_loader(const char* path) {
  const char* name = base_name(path);
  return std::strncmp(name, "ld", 2) == 0 && (name[2] == '-' || name[2] == '.');
}

// The absolute path of a file named in relation to the current directory; 0: no room.
size_t write_absolute(const char* path, char* buffer, size_t bytes) {
  // The system call counts the NUL.
  long length = path[0] == '/' ? 1 : system_call::working_directory(buffer, bytes);
  if (path[0] == '.' && path[1] == '/') path += 2;
  const size_t path_bytes = std::strlen(path) + 1;
  if (length <= 0 || static_cast<size_t>(length) + path_bytes > bytes) return 0;
  if (path[0] == '/') {
    length = 0;
  } else {
    if (buffer[0] != '/') return 0;
    buffer[length - 1] = '/';
  }
  std::memcpy(buffer + length, path, path_bytes);
  return static_cast<size_t>(length) + path_bytes - 1;
}

}  // namespace

size_t program_path(char* buffer, size_t bytes) {
  const long length = system_call::read_link(kExecutable, buffer, bytes - 1);
  if (length <= 0 || buffer[0] != '/') return 0;
  buffer[length] = '\0';
  const auto* run = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (run == nullptr) return static_cast<size_t>(length);
  if (is_loader(buffer) && !are_same_file(run, kExecutable)) {
    // The loader was told to run it, and has put its name where the kernel had its own.
    const size_t written = write_absolute(run, buffer, bytes);
    return written != 0
               ? written
               : static_cast<size_t>(system_call::read_link(kExecutable, buffer, bytes - 1));
  }
  if (run[0] != '/') return static_cast<size_t>(length);
  const size_t run_bytes = std::strlen(run);
  const char* name = base_name(run);
  const bool says_less = std::strncmp(base_name(buffer), name, std::strlen(name)) == 0;
  if (says_less || run_bytes >= bytes || !are_same_file(run, kExecutable)) {
    return static_cast<size_t>(length);
  }
  std::memcpy(buffer, run, run_bytes + 1);
  return run_bytes;
}

}  // namespace memlens::interposer
