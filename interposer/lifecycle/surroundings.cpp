#include "interposer/lifecycle/surroundings.h"

#include <atomic>
#include <cstdint>

#include "interposer/loader/loader_list.h"
#include "interposer/program/modules.h"
#include "interposer/program/python/attach.h"
#include "interposer/record/thread_names.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

std::atomic<uint32_t> modules_seen{0};

// What was loaded has been looked at.
void new_session() { modules_seen.store(module_generation(), std::memory_order_relaxed); }

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

void watch_surroundings() { at_new_session(new_session); }

}  // namespace memlens::interposer
