// Programs that replace this one, mostly in a child that is about to become another program.
//
// Each forwards to the next definition of its own name, or of the one it is defined in terms of, so
// that PATH search, "no such file" and shell scripts without "#!" stay libc's. Only the environment
// differs, made on the stack: a child of vfork must not touch the memory it shares with its parent.
#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>

#include "interposer/allocator_statistics/statistics.h"
#include "interposer/guest/diagnostics.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/hooks/program_start.h"
#include "interposer/loader/next_function.h"

extern char** environ;

namespace memlens::interposer {
namespace {

using Arguments = char* const*;

MEMLENS_NEXT<int (*)(const char*, Arguments, Arguments)> next_execve("execve");
MEMLENS_NEXT<int (*)(const char*, Arguments, Arguments)> next_execvpe("execvpe");
MEMLENS_NEXT<int (*)(int, const char*, Arguments, Arguments, int)> next_execveat("execveat");
MEMLENS_NEXT<int (*)(int, Arguments, Arguments)> next_fexecve("fexecve");

template <typename Exec>
int start_here(int directory_fd, const char* path, Arguments environment, Exec exec) {
  finish_statistics();
  const ProgramStart start = prepare_start(directory_fd, path, in_unrecorded_child());
  const int status = with_environment(start, environment, exec);
  start_failed(start);  // or we would not be here
  return status;
}

int start_path(const char* path, Arguments arguments, Arguments environment) {
  return start_here(AT_FDCWD, path, environment,
                    [&](Arguments made) { return next_execve.get()(path, arguments, made); });
}

int start_name(const char* name, Arguments arguments, Arguments environment) {
  char buffer[1024];
  const char* path = find_program(name, buffer, sizeof buffer);
  return start_here(AT_FDCWD, path, environment,
                    [&](Arguments made) { return next_execvpe.get()(name, arguments, made); });
}

// The arguments of execl and its like, up to the null pointer, which is not counted.
size_t count_arguments(const char* first, va_list* list) {
  size_t count = 0;
  for (const char* argument = first; argument != nullptr; argument = va_arg(*list, const char*)) {
    ++count;
  }
  return count;
}

// Leaves `list` behind the null pointer.
void gather_arguments(const char* first, va_list* list, char** out) {
  char* argument = const_cast<char*>(first);
  for (; argument != nullptr; argument = va_arg(*list, char*)) *out++ = argument;
  *out = nullptr;
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

// Declares `arguments`, on this function's stack, and leaves `list` behind its null pointer.
#define GATHER_ARGUMENTS(first, arguments, list)                                        \
  va_list list;                                                                         \
  va_start(list, first);                                                                \
  const size_t argument_count = count_arguments(first, &list);                          \
  va_end(list);                                                                         \
  auto** arguments = static_cast<char**>(alloca((argument_count + 1) * sizeof(char*))); \
  va_start(list, first);                                                                \
  gather_arguments(first, &list, arguments)

MEMLENS_HOOK int execve(const char* path, Arguments arguments, Arguments environment) {
  return start_path(path, arguments, environment);
}

MEMLENS_HOOK int execv(const char* path, Arguments arguments) {
  return start_path(path, arguments, environ);
}

MEMLENS_HOOK int execvp(const char* name, Arguments arguments) {
  return start_name(name, arguments, environ);
}

MEMLENS_HOOK int execvpe(const char* name, Arguments arguments, Arguments environment) {
  return start_name(name, arguments, environment);
}

MEMLENS_HOOK int execl(const char* path, const char* first, ...) {
  GATHER_ARGUMENTS(first, arguments, list);
  va_end(list);
  return start_path(path, arguments, environ);
}

MEMLENS_HOOK int execlp(const char* name, const char* first, ...) {
  GATHER_ARGUMENTS(first, arguments, list);
  va_end(list);
  return start_name(name, arguments, environ);
}

MEMLENS_HOOK int execle(const char* path, const char* first, ...) {
  GATHER_ARGUMENTS(first, arguments, list);
  Arguments environment = va_arg(list, Arguments);
  va_end(list);
  return start_path(path, arguments, environment);
}

namespace memlens::interposer {
namespace {

// A descriptor, as a path that can be opened for reading even when it cannot itself be read.
Line descriptor_path(int fd) {
  Line path;
  path.text("/proc/self/fd/").number(static_cast<uint64_t>(fd));
  return path;
}

}  // namespace
}  // namespace memlens::interposer

MEMLENS_HOOK int execveat(int directory_fd, const char* path, Arguments arguments,
                          Arguments environment, int flags) {
  const auto exec = [&](Arguments made) {
    return next_execveat.get()(directory_fd, path, arguments, made, flags);
  };
  if ((flags & AT_EMPTY_PATH) != 0 && path != nullptr && path[0] == '\0') {
    return start_here(AT_FDCWD, descriptor_path(directory_fd).c_str(), environment, exec);
  }
  return start_here(directory_fd, path, environment, exec);
}

MEMLENS_HOOK int fexecve(int fd, Arguments arguments, Arguments environment) {
  return start_here(AT_FDCWD, descriptor_path(fd).c_str(), environment,
                    [&](Arguments made) { return next_fexecve.get()(fd, arguments, made); });
}
