#include "interposer/lifecycle/late_loading.h"

#include <cstdint>

#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_definition.h"
#include "interposer/platform/futex.h"
#include "interposer/program/bundled_allocators.h"
#include "interposer/program/program_hooks.h"
#include "interposer/session/process.h"

namespace memlens::interposer::late_loading {
namespace {

constexpr int64_t kRoundNs = 1'000'000;

// The state says whether the hooks are to be in the program. With the loader stopped, or in a hook.
// False: not all is done.
bool settle_hooks() {
  const LoaderReading reading;
  if (!reading.held()) return false;
  // (All objects are read, also with the loader stopped in the midst of an unloading.)
  return refresh_loader_list(reading) && settle_program_hooks();
}

}  // namespace

bool put_hooks_in() {
  constexpr int kRounds = 100;
  bool ready = false;
  for (int i = 0; i < kRounds && !ready; ++i) {
    if (i != 0) platform::pause_for(kRoundNs);
    with_loader_stopped([](void* done) { *static_cast<bool*>(done) = settle_hooks(); }, &ready);
  }
  return program_hooks_are_in();
}

void put_bundled_hooks_back() {
  const LoaderReading reading;
  if (!reading.held()) return;
  refresh_loader_list(reading);
  lead_bundled_calls(true);
}

void take_hooks_out() {
  if (!loaded_late()) return;
  attention.fetch_or(kAttentionHooks);
  if (settle_hooks()) attention.fetch_and(~static_cast<uint32_t>(kAttentionHooks));
}

void finish_taking_hooks_out() {
  constexpr int kRounds = 1000;
  for (int i = 0; i < kRounds && (attention.load() & kAttentionHooks) != 0; ++i) {
    if (i != 0) platform::pause_for(kRoundNs);
    with_loader_stopped([](void*) { take_hooks_out(); }, nullptr);
  }
  attention_has_changed();
}

}  // namespace memlens::interposer::late_loading
