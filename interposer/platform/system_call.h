// The kernel directly: libc's wrappers may be our own hooks, may be interposed by others, and are
// cancellation points.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace memlens::interposer::system_call {

// Each is like the libc function that it is named after, errno included: -1 (MAP_FAILED) and errno
// where it fails. None locks, allocates or looks at anything of libc's but errno, so each may be
// called in any context: inside a hook, a signal handler, a child of vfork or of a raw fork, before
// libc is ready.

// ---- memory
inline void* map(void* address, size_t bytes, int protection, int flags, int fd, int64_t offset) {
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}
inline int unmap(void* address, size_t bytes) {
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}
inline int advise(void* address, size_t bytes, int advice) {
  return static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
}
inline int protect(void* address, size_t bytes, int protection) {
  return static_cast<int>(syscall(SYS_mprotect, address, bytes, protection));
}
// What is mapped at `from` is from now on at `to`, whose mapping is gone: for other threads, in one
// step.
inline bool move_mapping(void* from, size_t bytes, void* to) {
  return syscall(SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != -1;
}
// Precondition: `page` is of a shared mapping of a file. The same pages of the file, and `bytes` on
// from there, are mapped once more. MAP_FAILED: no address space.
inline void* map_again(const void* page, size_t bytes) {
  return reinterpret_cast<void*>(syscall(SYS_mremap, page, 0, bytes, MREMAP_MAYMOVE, nullptr));
}

// ---- files
inline int open_file(const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, 0));
}
inline int close_file(int fd) { return static_cast<int>(syscall(SYS_close, fd)); }
inline long read_file(int fd, void* buffer, size_t bytes) {
  return syscall(SYS_read, fd, buffer, bytes);
}
inline int open_file_at(int directory_fd, const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, directory_fd, path, flags, 0));
}
inline long read_file_at(int fd, void* buffer, size_t bytes, uint64_t offset) {
  return syscall(SYS_pread64, fd, buffer, bytes, offset);
}
inline long write_file(int fd, const void* buffer, size_t bytes) {
  return syscall(SYS_write, fd, buffer, bytes);
}
inline bool read_status(int fd, struct stat& status) {
  return syscall(SYS_fstat, fd, &status) == 0;
}
inline bool read_status_at(int directory_fd, const char* path, struct stat& status) {
  return syscall(SYS_newfstatat, directory_fd, path, &status, 0) == 0;
}
// `rights`: R_OK, W_OK, X_OK.
inline bool is_accessible(const char* path, int rights) {
  return syscall(SYS_faccessat, AT_FDCWD, path, rights) == 0;
}
inline long read_attribute(const char* path, const char* name, void* buffer, size_t bytes) {
  return syscall(SYS_getxattr, path, name, buffer, bytes);
}
// Its length with the NUL; 0 and less: there is no room, or it cannot be named.
inline long working_directory(char* buffer, size_t bytes) {
  return syscall(SYS_getcwd, buffer, bytes);
}
inline int make_memory_file(const char* name, unsigned flags) {
  return static_cast<int>(syscall(SYS_memfd_create, name, flags));
}
inline bool resize_file(int fd, size_t bytes) { return syscall(SYS_ftruncate, fd, bytes) == 0; }
inline bool set_file_mode(int fd, unsigned mode) { return syscall(SYS_fchmod, fd, mode) == 0; }
inline int control_file(int fd, int command, int argument) {
  return static_cast<int>(syscall(SYS_fcntl, fd, command, argument));
}
inline long read_link(const char* path, char* buffer, size_t bytes) {
  return syscall(SYS_readlinkat, AT_FDCWD, path, buffer, bytes);
}

// ---- who this is
inline int32_t process_id() { return static_cast<int32_t>(syscall(SYS_getpid)); }
inline int32_t parent_process_id() { return static_cast<int32_t>(syscall(SYS_getppid)); }
inline int32_t thread_id() { return static_cast<int32_t>(syscall(SYS_gettid)); }
inline uint32_t user_id() { return static_cast<uint32_t>(syscall(SYS_getuid)); }
inline uint32_t group_id() { return static_cast<uint32_t>(syscall(SYS_getgid)); }
inline bool read_limit(int resource, struct rlimit& limit) {
  return syscall(SYS_prlimit64, 0, resource, nullptr, &limit) == 0;
}

}  // namespace memlens::interposer::system_call
