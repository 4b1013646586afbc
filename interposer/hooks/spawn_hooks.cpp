// Programs started beside this one, in one call. libc makes the child and its exec by inner calls
// that never arrive at our fork and exec hooks.
//
// system and popen need no hook: they start /bin/sh with this process's own environment, in which
// the session stands already.
#include <fcntl.h>
#include <spawn.h>

#include "interposer/hooks/hook_export.h"
#include "interposer/hooks/program_start.h"
#include "interposer/loader/next_function.h"

namespace memlens::interposer {
namespace {

using Spawn = int (*)(pid_t*, const char*, const posix_spawn_file_actions_t*,
                      const posix_spawnattr_t*, char* const*, char* const*);

MEMLENS_NEXT<Spawn> next_posix_spawn("posix_spawn");
MEMLENS_NEXT<Spawn> next_posix_spawnp("posix_spawnp");

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK int posix_spawn(pid_t* pid, const char* path,
                             const posix_spawn_file_actions_t* actions,
                             const posix_spawnattr_t* attributes, char* const* arguments,
                             char* const* environment) {
  const ProgramStart start = prepare_start(AT_FDCWD, path, /*new_process=*/true);
  const int status = with_environment(start, environment, [&](char* const* made) {
    return next_posix_spawn.get()(pid, path, actions, attributes, arguments, made);
  });
  if (status != 0) start_failed(start);
  return status;
}

MEMLENS_HOOK int posix_spawnp(pid_t* pid, const char* name,
                              const posix_spawn_file_actions_t* actions,
                              const posix_spawnattr_t* attributes, char* const* arguments,
                              char* const* environment) {
  char buffer[1024];
  const char* path = find_program(name, buffer, sizeof buffer);
  const ProgramStart start = prepare_start(AT_FDCWD, path, /*new_process=*/true);
  const int status = with_environment(start, environment, [&](char* const* made) {
    return next_posix_spawnp.get()(pid, name, actions, attributes, arguments, made);
  });
  if (status != 0) start_failed(start);
  return status;
}
