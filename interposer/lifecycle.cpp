// The library's start, and what it looks at from time to time. There is no end: recording goes on
// through exit handlers and destructors until the kernel takes the process, and the collector
// drains what it left (process_end.h leaves a word of when that was).
#include <errno.h>

#include <atomic>

#include "interposer/hooks/allocator_module.h"
#include "interposer/hooks/next_function.h"
#include "interposer/hooks/thread_hooks.h"
#include "interposer/loader_list.h"
#include "interposer/modules.h"
#include "interposer/poll.h"
#include "interposer/process.h"
#include "interposer/process_end.h"
#include "interposer/python/attach.h"
#include "interposer/reentrancy.h"
#include "interposer/session.h"

namespace memlens::interposer {

namespace {
std::atomic<uint32_t> modules_seen{0};

// What was loaded has been looked at.
void forked_child() { modules_seen.store(module_generation(), std::memory_order_relaxed); }
}  // namespace

void poll_environment() {
  poll_modules();
  // A library may have brought Python in.
  const uint32_t modules = module_generation();
  if (modules_seen.load(std::memory_order_relaxed) != modules && can_read_loader_list() &&
      modules_seen.exchange(modules, std::memory_order_relaxed) != modules) {
    python_attach_loaded();
  }
  poll_thread_name();
  python_poll();
}

namespace {

// After the program's libraries have been loaded and before its main. The first hooked call may
// have joined the session already.
__attribute__((constructor)) void start() {
  const int saved_errno = errno;
  {
    HookScope scope(InnerCalls::kExpected);
    resolve_next_functions();
    join_session();
    if (recording()) {
      publish_session();
      say_last_word_at_exit();
      at_forked_child(forked_child);
      scan_modules();
      report_unseen_allocator();
      python_attach_at_start();
    }
  }
  errno = saved_errno;
}

}  // namespace
}  // namespace memlens::interposer
