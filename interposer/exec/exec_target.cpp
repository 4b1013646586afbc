#include "interposer/exec/exec_target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "interposer/loader/base_name.h"
#include "interposer/platform/elf_names.h"
#include "interposer/platform/system_call.h"

extern char** environ;

namespace memlens::interposer {
namespace {

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
    return system_call::read_file_at(fd, buffer, bytes, offset);
  }
  int fd;
};

bool is_glibc_loader(const char* path) {
  const char* name = base_name(path);
  return std::strncmp(name, "ld-linux", 8) == 0 || std::strncmp(name, "ld64.so", 7) == 0;
}

// As the kernel decides whether to tell the loader to distrust the environment.
bool gains_rights(int directory_fd, const char* path) {
  struct stat status;
  if (!system_call::read_status_at(directory_fd, path, status)) return false;
  const auto user = system_call::user_id();
  const auto group = system_call::group_id();
  if ((status.st_mode & S_ISUID) != 0 && status.st_uid != user) return true;
  const bool set_group = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  if (set_group && status.st_gid != group) return true;
  if (user == 0 || directory_fd != AT_FDCWD) return false;  // root's capabilities are no gain
  char capabilities[64];
  return system_call::read_attribute(path, "security.capability", capabilities,
                                     sizeof capabilities) > 0;
}

bool read_segment(const File& file, const ElfW(Ehdr) & header, unsigned index,
                  ElfW(Phdr) & segment) {
  return index < header.e_phnum &&
         file.read_at(header.e_phoff + uint64_t{index} * header.e_phentsize, &segment,
                      sizeof segment);
}

bool find_segment(const File& file, const ElfW(Ehdr) & header, unsigned type,
                  ElfW(Phdr) & segment) {
  for (unsigned i = 0; read_segment(file, header, i, segment); ++i) {
    if (segment.p_type == type) return true;
  }
  return false;
}

// Where in the file an address of the program is; 0: nowhere.
uint64_t file_offset(const File& file, const ElfW(Ehdr) & header, uint64_t address) {
  ElfW(Phdr) segment;
  for (unsigned i = 0; read_segment(file, header, i, segment); ++i) {
    if (segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz)
      return segment.p_offset + (address - segment.p_vaddr);
  }
  return 0;
}

// Whether names of dynamic linking begin (`begins`) or are (else) one of these.
struct WantedName {
  const char* text;
  bool begins;
  bool found = false;
};

// `text` starts behind a NUL.
void match_names(const char* text, size_t bytes, WantedName* wanted, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const size_t length = std::strlen(wanted[i].text);
    if (length < bytes && std::memcmp(text, wanted[i].text, length) == 0 &&
        (wanted[i].begins || text[length] == '\0')) {
      wanted[i].found = true;
    }
  }
}

// Less than the smallest program takes with this library (0.6 MB) beside its loader and libc: the
// loader would end it. With glibc 2.31 to 2.43 `true` starts with 2,300 to 2,500 KiB, with the
// library from 3,100 to 3,150 KiB on, and has room to be recorded with 3,650 to 3,750.
bool address_space_is_too_small() {
  constexpr uint64_t kLeastBytes = uint64_t{3400} << 10;
  rlimit limit{};
  return system_call::read_limit(RLIMIT_AS, limit) && limit.rlim_cur < kLeastBytes;
}

bool link_order_check_is_off() {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "ASAN_OPTIONS=", 13) == 0)
      return std::strstr(*entry, "verify_asan_link_order=0") != nullptr;
  }
  return false;
}

// AddressSanitizer's run-time library beside a program that answers for its options. Reads the
// names the program links by; of programs with very many only the first.
bool sets_sanitizer_options(const File& file, const ElfW(Ehdr) & header) {
  constexpr uint64_t kMaxNameBytes = 1 << 20;
  constexpr size_t kEntries = 32;
  ElfW(Phdr) segment;
  if (!find_segment(file, header, PT_DYNAMIC, segment)) return false;
  uint64_t names = 0;
  uint64_t name_bytes = 0;
  ElfW(Dyn) entries[kEntries];
  for (uint64_t at = 0; at < segment.p_filesz; at += sizeof entries) {
    const long bytes = file.read_some(segment.p_offset + at, entries, sizeof entries);
    for (long i = 0; i < bytes / static_cast<long>(sizeof entries[0]); ++i) {
      if (entries[i].d_tag == DT_STRTAB) names = entries[i].d_un.d_ptr;
      if (entries[i].d_tag == DT_STRSZ) name_bytes = entries[i].d_un.d_val;
    }
    if (bytes < static_cast<long>(sizeof entries)) break;
  }
  uint64_t offset = file_offset(file, header, names);
  if (offset == 0) return false;
  const uint64_t end = offset + (name_bytes < kMaxNameBytes ? name_bytes : kMaxNameBytes);
  WantedName wanted[] = {
      {"libasan.so", true}, {"libclang_rt.asan", true}, {"__asan_default_options", false}};
  constexpr size_t kLongest = 32;  // with the NUL
  char text[512];
  while (offset < end) {
    const size_t wish = end - offset < sizeof text ? end - offset : sizeof text;
    const long bytes = file.read_some(offset, text, wish);
    if (bytes <= 0) break;
    const auto size = static_cast<size_t>(bytes);
    const bool last = offset + size >= end || size < wish;
    const size_t done = last ? size : size - kLongest;
    for (size_t i = 0; i < done; ++i) {
      if (i + 1 < size && text[i] == '\0') match_names(text + i + 1, size - i - 1, wanted, 3);
    }
    if (last) break;
    offset += done;
  }
  return (wanted[0].found || wanted[1].found) && wanted[2].found;
}

Obstacle inspect_elf(const File& file, const ElfW(Ehdr) & header, const char* path) {
  if (header.e_ident[EI_CLASS] != (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32) ||
      header.e_machine != platform::kMachine) {
    return Obstacle::kOtherMachine;
  }
  ElfW(Phdr) segment;
  if (!find_segment(file, header, PT_INTERP, segment)) {
    // The loader itself, started as a program, has no loader either, and preloads.
    return is_glibc_loader(path) ? Obstacle::kNone : Obstacle::kStatic;
  }
  char loader[kLoaderPathBytes] = {};
  const size_t bytes = segment.p_filesz < sizeof loader ? segment.p_filesz : sizeof loader - 1;
  if (!file.read_at(segment.p_offset, loader, bytes)) return Obstacle::kNone;
  if (!is_glibc_loader(loader)) return Obstacle::kOtherLibc;
  if (link_order_check_is_off()) return Obstacle::kNone;
  return sets_sanitizer_options(file, header) ? Obstacle::kOwnSanitizerOptions : Obstacle::kNone;
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

bool forbids_preload(Obstacle obstacle) {
  return obstacle == Obstacle::kOtherMachine || obstacle == Obstacle::kOtherLibc ||
         obstacle == Obstacle::kOwnSanitizerOptions || obstacle == Obstacle::kAddressSpace;
}

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
    case Obstacle::kOwnSanitizerOptions:
      return "is built with AddressSanitizer and sets its options itself (start it with "
             "ASAN_OPTIONS=verify_asan_link_order=0 to have it recorded)";
    case Obstacle::kAddressSpace:
      return "is allowed too little address space to be recorded (a limit on it: ulimit -v)";
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
    const File file(
        system_call::open_file_at(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
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
  if (obstacle == Obstacle::kNone && address_space_is_too_small()) {
    obstacle = Obstacle::kAddressSpace;
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
  const size_t name_bytes = std::strlen(name);
  const char* found = nullptr;
  for (const char* start = search; found == nullptr;) {
    const char* end = std::strchr(start, ':');
    const size_t directory = end == nullptr ? std::strlen(start) : static_cast<size_t>(end - start);
    if (directory + 1 + name_bytes < bytes) {
      size_t length = directory;
      std::memcpy(buffer, start, directory);
      if (directory != 0) buffer[length++] = '/';  // an empty entry is the current directory
      std::memcpy(buffer + length, name, name_bytes);
      buffer[length + name_bytes] = '\0';
      struct stat status;
      if (system_call::read_status_at(AT_FDCWD, buffer, status) && S_ISREG(status.st_mode) &&
          system_call::is_accessible(buffer, X_OK)) {
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
