// What exec and spawn hooks share: the decision whether the program that is about to be started is
// recorded, and the environment that follows from it.
#pragma once

#include <alloca.h>
#include <errno.h>
#include <sys/mman.h>

#include "interposer/exec/exec_environment.h"
#include "interposer/exec/exec_target.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer {

struct ProgramStart {
  enum class Environment : unsigned char { kAsItIs, kAttach, kDetach };

  Environment environment = Environment::kAsItIs;
  SessionEntries entries{};  // for kAttach; `announced`: a birth was announced for this start
};

// `path`: what will be opened, null when it could not be found (the start will fail, or a shell
// will do it). `new_process`: it will not replace a process that is recorded already. Announces the
// birth and notes in the capture why a program is left out.
ProgramStart prepare_start(int directory_fd, const char* path, bool new_process);

// The start failed: takes back the announcement. Keeps errno.
void start_failed(const ProgramStart& start);

// Whether this process image is not yet a recorded process: a child of vfork, or of a raw fork.
bool in_unrecorded_child();

// Larger environments are made in pages of their own: signal handlers run on small stacks.
inline constexpr size_t kMaxEnvironmentOnStack = 4096;

// Calls `go` with the environment that `start` asks for. A program that cannot be given its
// environment for want of memory is started with the one it has.
template <typename Go>
__attribute__((noinline)) auto with_environment(const ProgramStart& start, char* const* environment,
                                                Go go) {
  using Environment = ProgramStart::Environment;
  const size_t bytes = start.environment == Environment::kAttach
                           ? bytes_to_attach(environment, start.entries)
                       : start.environment == Environment::kDetach ? bytes_to_detach(environment)
                                                                   : 0;
  if (bytes == 0) return go(environment);
  const bool on_stack = bytes <= kMaxEnvironmentOnStack;
  void* memory = on_stack ? alloca(bytes)
                          : system_call::map(nullptr, bytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return go(environment);
  char** made = start.environment == Environment::kAttach
                    ? attach_entries(environment, start.entries, memory)
                    : detach_entries(environment, memory);
  const auto result = go(static_cast<char* const*>(made));
  if (!on_stack) {
    const int saved_errno = errno;
    system_call::unmap(memory, bytes);
    errno = saved_errno;
  }
  return result;
}

}  // namespace memlens::interposer
