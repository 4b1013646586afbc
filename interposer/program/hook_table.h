// Every function of the program's world that this library defines: what it is, and how it reports.
//
// The hooks themselves are ordinary functions in the files named here; exports.map must name
// exactly these, and a test compares both with the built library. Functions that are watched
// without a hook are listed too, with the reason, so that the table answers "what about ...?".
#pragma once

#include <cstddef>

namespace memlens::interposer {

// How a hook reports (recorder.h has the ordering rules).
enum class HookReport : unsigned char {
  kAllocation,    // an allocation, after the real call
  kFree,          // a free, before the real call
  kReallocation,  // a free before, an allocation or an undo after
  kMap,           // a range mapped, after the real call
  kUnmap,         // a range unmapped before the real call, or an undo after
  kRemap,         // an unmap before, maps or an undo after
  kBreak,         // a map after growth, an unmap before shrinking
  kModules,       // the list of libraries
  kThreadName,    // a thread's name
  kJump,          // a hook may be left
  kFork,          // a child becomes a recorded process
  kExec,          // another program is given, or spared, the session
  kOptions,       // a run-time library asks how it shall behave
  kEnd,           // when and how a process ended
  kNothing,       // no hook; `remark` says why
};

struct Hook {
  const char* name;
  const char* file;  // in interposer/hooks; empty for kNothing
  HookReport report;
  const char* remark = "";
};

inline constexpr Hook kHooks[] = {
    {"malloc", "malloc_hooks.cpp", HookReport::kAllocation},
    {"calloc", "malloc_hooks.cpp", HookReport::kAllocation},
    {"realloc", "malloc_hooks.cpp", HookReport::kReallocation},
    {"reallocarray", "malloc_hooks.cpp", HookReport::kReallocation},
    {"posix_memalign", "malloc_hooks.cpp", HookReport::kAllocation},
    {"aligned_alloc", "malloc_hooks.cpp", HookReport::kAllocation},
    {"memalign", "malloc_hooks.cpp", HookReport::kAllocation},
    {"valloc", "malloc_hooks.cpp", HookReport::kAllocation},
    {"pvalloc", "malloc_hooks.cpp", HookReport::kAllocation},
    {"free", "malloc_hooks.cpp", HookReport::kFree},
    {"cfree", "malloc_hooks.cpp", HookReport::kFree},
    {"free_sized", "malloc_hooks.cpp", HookReport::kFree},
    {"free_aligned_sized", "malloc_hooks.cpp", HookReport::kFree},
    {"_Znwm", "operator_new_hooks.cpp", HookReport::kAllocation,
     "of allocators with operators of their own"},
    {"_Znam", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnwmRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnamRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnwmSt11align_val_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnamSt11align_val_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnwmSt11align_val_tRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZnamSt11align_val_tRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kAllocation},
    {"_ZdlPv", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPv", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdlPvm", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPvm", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdlPvRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPvRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdlPvSt11align_val_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPvSt11align_val_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdlPvmSt11align_val_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPvmSt11align_val_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdlPvSt11align_val_tRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"_ZdaPvSt11align_val_tRKSt9nothrow_t", "operator_new_hooks.cpp", HookReport::kFree},
    {"mallocx", "jemalloc_hooks.cpp", HookReport::kAllocation},
    {"rallocx", "jemalloc_hooks.cpp", HookReport::kReallocation},
    {"xallocx", "jemalloc_hooks.cpp", HookReport::kReallocation, "in place, or not at all"},
    {"dallocx", "jemalloc_hooks.cpp", HookReport::kFree},
    {"sdallocx", "jemalloc_hooks.cpp", HookReport::kFree},
    {"mmap", "mapping_hooks.cpp", HookReport::kMap, "private, anonymous, accessible: heap"},
    {"mmap64", "mapping_hooks.cpp", HookReport::kMap},
    {"munmap", "mapping_hooks.cpp", HookReport::kUnmap},
    {"mremap", "mapping_hooks.cpp", HookReport::kRemap},
    {"brk", "brk_hooks.cpp", HookReport::kBreak},
    {"sbrk", "brk_hooks.cpp", HookReport::kBreak},
    {"dlopen", "dynamic_loading_hooks.cpp", HookReport::kModules, "leaves a note, then jumps on"},
    {"dlmopen", "dynamic_loading_hooks.cpp", HookReport::kModules, "leaves a note, then jumps on"},
    {"dlclose", "dynamic_loading_hooks.cpp", HookReport::kModules},
    {"pthread_setname_np", "thread_hooks.cpp", HookReport::kThreadName},
    {"prctl", "thread_hooks.cpp", HookReport::kThreadName, "PR_SET_NAME"},
    {"longjmp", "jump_hooks.cpp", HookReport::kJump},
    {"_longjmp", "jump_hooks.cpp", HookReport::kJump},
    {"siglongjmp", "jump_hooks.cpp", HookReport::kJump},
    {"__longjmp_chk", "jump_hooks.cpp", HookReport::kJump},
    {"fork", "fork_hooks.cpp", HookReport::kFork},
    {"_Fork", "fork_hooks.cpp", HookReport::kFork},
    {"daemon", "fork_hooks.cpp", HookReport::kFork},
    {"forkpty", "fork_hooks.cpp", HookReport::kFork},
    {"execve", "exec_hooks.cpp", HookReport::kExec},
    {"execv", "exec_hooks.cpp", HookReport::kExec},
    {"execvp", "exec_hooks.cpp", HookReport::kExec},
    {"execvpe", "exec_hooks.cpp", HookReport::kExec},
    {"execl", "exec_hooks.cpp", HookReport::kExec},
    {"execlp", "exec_hooks.cpp", HookReport::kExec},
    {"execle", "exec_hooks.cpp", HookReport::kExec},
    {"execveat", "exec_hooks.cpp", HookReport::kExec},
    {"fexecve", "exec_hooks.cpp", HookReport::kExec},
    {"posix_spawn", "spawn_hooks.cpp", HookReport::kExec},
    {"posix_spawnp", "spawn_hooks.cpp", HookReport::kExec},
    {"__asan_default_options", "sanitizer_options.cpp", HookReport::kOptions},
    {"_exit", "end_hooks.cpp", HookReport::kEnd},
    {"_Exit", "end_hooks.cpp", HookReport::kEnd},
    {"wait", "end_hooks.cpp", HookReport::kEnd},
    {"waitpid", "end_hooks.cpp", HookReport::kEnd},
    {"wait3", "end_hooks.cpp", HookReport::kEnd},
    {"wait4", "end_hooks.cpp", HookReport::kEnd},
    {"waitid", "end_hooks.cpp", HookReport::kEnd},
    {"mprotect", "", HookReport::kNothing, "cannot tell a first use from a change of rights"},
    {"pthread_create", "", HookReport::kNothing, "a thread is known from its first event"},
    {"vfork", "", HookReport::kNothing,
     "returns twice into its caller's frame: the exec hook in the child does the work"},
    {"clone", "", HookReport::kNothing, "a child with memory of its own notices it is one"},
    {"system", "", HookReport::kNothing, "hands on the environment, which holds the session"},
    {"popen", "", HookReport::kNothing, "hands on the environment, which holds the session"},
};

}  // namespace memlens::interposer
