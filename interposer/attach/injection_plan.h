// All that has to be known of a process before one of its threads is stopped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "interposer/attach/processor.h"
#include "interposer/attach/remote_objects.h"
#include "interposer/attach/remote_process.h"

namespace memlens::attach {

// What an earlier attach left (worker.h).
struct WorkArea {
  uint64_t code = 0;
  uint64_t bytes = 0;
  uint64_t tls_bytes = 0;

  uint64_t header() const;
  uint64_t stack_top() const;
  uint64_t thread_pointer() const;
  uint64_t context() const;
};
// How many bytes an area takes, and where in it the code is.
uint64_t area_bytes(uint64_t tls_bytes);

using AddressRange = std::pair<uint64_t, uint64_t>;

struct InjectionPlan {
  LoadedObjects loaded;
  uint64_t pthread_create = 0, pthread_self = 0, pthread_detach = 0;
  uint64_t pthread_attr_init = 0, pthread_attr_setstacksize = 0;  // may be missing
  uint64_t dlopen = 0, dlsym = 0, dlerror = 0;                    // the last may be missing
  uint64_t wake = 0;        // of our library, where that is loaded
  uint64_t tid_offset = 0;  // of the thread's number in its struct pthread
  std::vector<TlsImage> tls_images;
  uint64_t tls_bytes = 0;
  uint64_t system_call_instruction = 0;
  // 0: this libc has none. 1 there: while there is one thread, malloc takes no locks.
  uint64_t single_threaded_address = 0;
  uint64_t environment_address = 0;  // of `environ`
  AddressRange allocator{};          // malloc and what it consists of
  std::vector<AddressRange> loader;  // ld.so's code
  std::optional<WorkArea> area;
};

// Throws AttachError: static, musl, a libc too old, one that is starting or busy for too long.
InjectionPlan plan_injection(const RemoteProcess& process, const char* wake_symbol);

}  // namespace memlens::attach
