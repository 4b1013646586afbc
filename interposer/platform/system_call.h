// The kernel directly: libc's wrappers may be our own hooks, may be interposed by others, and are
// cancellation points.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace memlens::interposer::system_call {

// Like the libc functions of these names, errno included.
inline void* map(void* address, size_t bytes, int protection, int flags, int fd, int64_t offset) {
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}
inline int unmap(void* address, size_t bytes) {
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}
inline int advise(void* address, size_t bytes, int advice) {
  return static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
}
inline int open_file(const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, 0));
}
inline int close_file(int fd) { return static_cast<int>(syscall(SYS_close, fd)); }
inline long read_file(int fd, void* buffer, size_t bytes) {
  return syscall(SYS_read, fd, buffer, bytes);
}
inline long read_link(const char* path, char* buffer, size_t bytes) {
  return syscall(SYS_readlinkat, AT_FDCWD, path, buffer, bytes);
}
inline int32_t process_id() { return static_cast<int32_t>(syscall(SYS_getpid)); }
inline int32_t parent_process_id() { return static_cast<int32_t>(syscall(SYS_getppid)); }
inline int32_t thread_id() { return static_cast<int32_t>(syscall(SYS_gettid)); }

}  // namespace memlens::interposer::system_call
