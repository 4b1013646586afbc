// The thread that works for us inside the process, and the memory it shares with us.
//
// A thread of the program is stopped for a few system calls, which start a bare thread; that calls
// pthread_create, and what results is a proper thread of the program: dlopen and all that follows
// run there, and whoever was stopped has long gone on. (Running dlopen on the stopped thread, as
// debuggers do, killed 1 of 18 programs in the midst of another dlopen.) The worker does what the
// command word says, and ends when told to, or when nobody has told it anything for some seconds.
//
// The area lies in the process for good: what the bare thread's allocator and thread library saw
// there they may keep. Unmapping it crashed a program with jemalloc in the eighth round. It is
// found again by its first page, which is code and starts with kAreaMagic; another attach uses it
// again.
//
//   code page | header page | stack of the bare thread | its static TLS | thread block | dtv |
//   Context
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::attach {

enum class WorkerState : uint32_t {
  kStarting = 0,
  kReady = 1,
  kFinished = 2,
  kNotCreated = 3,  // pthread_create failed
};

enum class WorkerCommand : uint32_t {
  kNone = 0,
  kSystemCall = 1,
  kLoad = 2,  // dlopen(path), then dlsym(symbol) becomes `function`
  kCall = 3,  // function()
  kEnd = 4,
};

// Offsets are known to the code in processor_*.cpp.
struct Context {
  WorkerState state;
  WorkerCommand command;
  uint32_t completed;    // commands
  uint32_t idle_rounds;  // left until it ends by itself
  uint32_t idle_limit;
  uint32_t bare_thread;    // its number; the kernel clears it when the thread has ended
  uint32_t worker_thread;  // its number
  int32_t create_error;
  uint64_t pthread_create, pthread_self, pthread_detach, dlopen, dlsym, dlerror;
  uint64_t function;
  int64_t result;
  uint64_t system_call[7];  // number and arguments
  uint64_t dlopen_mode;
  uint64_t pause_seconds, pause_nanoseconds;  // between two looks at `command`
  uint64_t thread_handle;
  uint64_t command_at_work;
  char symbol[64];
  char error[768];  // dlerror's
  char path[4096];
  // A pthread_attr_t, and the worker's stack in it: a default of 8 MB may be more than the program
  // has left.
  uint64_t attributes[8];
  uint64_t pthread_attr_init, pthread_attr_setstacksize;  // 0: not there
  uint64_t stack_bytes;
};
static_assert(offsetof(Context, pthread_create) == 32 && offsetof(Context, function) == 80 &&
              offsetof(Context, system_call) == 96 && offsetof(Context, pause_seconds) == 160 &&
              offsetof(Context, thread_handle) == 176 && offsetof(Context, symbol) == 192 &&
              offsetof(Context, error) == 256 && offsetof(Context, path) == 1024 &&
              offsetof(Context, attributes) == 5120 &&
              offsetof(Context, pthread_attr_init) == 5184 &&
              offsetof(Context, stack_bytes) == 5200);

struct AreaHeader {
  uint64_t bytes;      // of the whole area
  uint64_t tls_bytes;  // of static TLS
};

}  // namespace memlens::attach
