#include "interposer/program_path.h"

#include <sys/auxv.h>
#include <sys/stat.h>

#include <cstring>

#include "interposer/system_call.h"

namespace memlens::interposer {
namespace {

constexpr char kExecutable[] = "/proc/self/exe";

bool are_same_file(const char* a, const char* b) {
  struct stat a_status, b_status;
  return syscall(SYS_newfstatat, AT_FDCWD, a, &a_status, 0) == 0 &&
         syscall(SYS_newfstatat, AT_FDCWD, b, &b_status, 0) == 0 &&
         a_status.st_dev == b_status.st_dev && a_status.st_ino == b_status.st_ino;
}

const char* base_name(const char* path) { return std::strrchr(path, '/') + 1; }

}  // namespace

size_t program_path(char* buffer, size_t bytes) {
  const long length = system_call::read_link(kExecutable, buffer, bytes - 1);
  if (length <= 0 || buffer[0] != '/') return 0;
  buffer[length] = '\0';
  const auto* run = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (run == nullptr || run[0] != '/') return static_cast<size_t>(length);
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
