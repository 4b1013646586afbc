#include "interposer/hooks/exec_target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "interposer/system_call.h"

extern char** environ;

namespace memlens::interposer {
namespace {

#if defined(__x86_64__)
constexpr unsigned kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kOwnMachine = EM_AARCH64;
#else
#error "memlens: name this processor's ELF machine here"
#endif

constexpr unsigned kMaxScriptDepth = 5;   // the kernel's
constexpr size_t kScriptLineBytes = 256;  // the kernel's
constexpr size_t kLoaderPathBytes = 256;

struct File {
  explicit File(int fd_) : fd(fd_) {}
  ~File() {
    if (fd >= 0) system_call::close_file(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Whether all of `bytes` were there.
  bool read_at(uint64_t offset, void* buffer, size_t bytes) const {
    return read_some(offset, buffer, bytes) == static_cast<long>(bytes);
  }
  long read_some(uint64_t offset, void* buffer, size_t bytes) const {
    return syscall(SYS_pread64, fd, buffer, bytes, offset);
  }
  int fd;
};

const char* file_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

bool is_glibc_loader(const char* path) {
  const char* name = file_name(path);
  return std::strncmp(name, "ld-linux", 8) == 0 || std::strncmp(name, "ld64.so", 7) == 0;
}

// As the kernel decides whether to tell the loader to distrust the environment.
bool gains_rights(int directory_fd, const char* path) {
  struct stat status;
  if (syscall(SYS_newfstatat, directory_fd, path, &status, 0) != 0) return false;
  const auto user = static_cast<uid_t>(syscall(SYS_getuid));
  const auto group = static_cast<gid_t>(syscall(SYS_getgid));
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != user) return true;
  const bool set_group = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  if (set_group && status.st_gid != group) return true;
  if (user == 0 || directory_fd != AT_FDCWD) return false;  // root's capabilities are no gain
  char capabilities[64];
  return syscall(SYS_getxattr, path, "security.capability", capabilities, sizeof capabilities) > 0;
}

Obstacle inspect_elf(const File& file, const ElfW(Ehdr) & header, const char* path) {
  if (header.e_ident[EI_CLASS] != (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32) ||
      header.e_machine != kOwnMachine) {
    return Obstacle::kOtherMachine;
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    if (!file.read_at(header.e_phoff + uint64_t{i} * header.e_phentsize, &segment,
                      sizeof segment)) {
      return Obstacle::kNone;
    }
    if (segment.p_type != PT_INTERP) continue;
    char loader[kLoaderPathBytes] = {};
    const size_t bytes = segment.p_filesz < sizeof loader ? segment.p_filesz : sizeof loader - 1;
    if (!file.read_at(segment.p_offset, loader, bytes)) return Obstacle::kNone;
    return is_glibc_loader(loader) ? Obstacle::kNone : Obstacle::kOtherLibc;
  }
  // The loader itself, started as a program, has no loader either, and preloads.
  return is_glibc_loader(path) ? Obstacle::kNone : Obstacle::kStatic;
}

// The interpreter in "#! /path argument"; false when there is none.
bool script_interpreter(char* line, size_t bytes, const char*& interpreter) {
  line[bytes] = '\0';
  char* start = line + 2;
  while (*start == ' ' || *start == '\t') ++start;
  char* end = start;
  while (*end != '\0' && *end != ' ' && *end != '\t' && *end != '\n') ++end;
  *end = '\0';
  interpreter = start;
  return end != start;
}

}  // namespace

const char* explain(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::kNone:
      return "";
    case Obstacle::kOtherMachine:
      return "is for another processor or word size";
    case Obstacle::kStatic:
      return "is linked statically";
    case Obstacle::kOtherLibc:
      return "uses another libc than glibc";
    case Obstacle::kPrivileged:
      return "gains privileges (setuid, setgid or capabilities)";
    case Obstacle::kLibraryHidden:
      return "runs where libmemlens.so cannot be found (chroot or container)";
  }
  return "";
}

Obstacle inspect_program(int directory_fd, const char* path) {
  const int saved_errno = errno;
  Obstacle obstacle = Obstacle::kNone;
  // One buffer holds the line that names the next path while that is opened.
  char line[kScriptLineBytes + 1];
  for (unsigned depth = 0; depth <= kMaxScriptDepth; ++depth) {
    const File file(static_cast<int>(
        syscall(SYS_openat, directory_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)));
    union {
      ElfW(Ehdr) elf;
      char text[sizeof(ElfW(Ehdr))];
    } start;
    const long bytes = file.fd < 0 ? 0 : file.read_some(0, &start, sizeof start);
    const bool script = bytes > 2 && start.text[0] == '#' && start.text[1] == '!';
    // Scripts gain no rights, and what cannot be read may still gain some.
    if (!script && gains_rights(directory_fd, path)) {
      obstacle = Obstacle::kPrivileged;
      break;
    }
    if (script) {
      const long line_bytes = file.read_some(0, line, kScriptLineBytes);
      if (line_bytes <= 2 || !script_interpreter(line, static_cast<size_t>(line_bytes), path))
        break;
      directory_fd = AT_FDCWD;
      continue;
    }
    if (bytes >= static_cast<long>(EI_NIDENT + 4) &&
        std::memcmp(start.text, ELFMAG, SELFMAG) == 0) {
      obstacle = bytes == static_cast<long>(sizeof start) ? inspect_elf(file, start.elf, path)
                                                          : Obstacle::kOtherMachine;
    }
    break;
  }
  errno = saved_errno;
  return obstacle;
}

const char* find_program(const char* name, char* buffer, size_t bytes) {
  if (std::strchr(name, '/') != nullptr) return name;
  const char* search = "/bin:/usr/bin";  // what libc takes when there is no PATH
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "PATH=", 5) == 0) {
      search = *entry + 5;
      break;
    }
  }
  const int saved_errno = errno;
  const size_t name_bytes = std::strlen(name) + 1;
  const char* found = nullptr;
  for (const char* start = search; found == nullptr;) {
    const char* end = std::strchr(start, ':');
    const size_t directory = end == nullptr ? std::strlen(start) : static_cast<size_t>(end - start);
    if (directory + 1 + name_bytes <= bytes) {
      size_t length = directory;
      std::memcpy(buffer, start, directory);
      if (directory != 0) buffer[length++] = '/';  // an empty entry is the current directory
      std::memcpy(buffer + length, name, name_bytes);
      struct stat status;
      if (syscall(SYS_newfstatat, AT_FDCWD, buffer, &status, 0) == 0 && S_ISREG(status.st_mode) &&
          syscall(SYS_faccessat, AT_FDCWD, buffer, X_OK) == 0) {
        found = buffer;
      }
    }
    if (end == nullptr) break;
    start = end + 1;
  }
  errno = saved_errno;
  return found;
}

}  // namespace memlens::interposer
