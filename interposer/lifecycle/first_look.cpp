#include "interposer/lifecycle/first_look.h"

#include "interposer/guest/reentrancy.h"
#include "interposer/lifecycle/late_loading.h"
#include "interposer/lifecycle/lifecycle.h"
#include "interposer/loader/next_function.h"
#include "interposer/session/process.h"
#include "interposer/session/upcalls.h"

namespace memlens::interposer {
namespace {

using segment::HookMode;

// The real functions are known.
void choose_mode() {
  const uint32_t now = attention.load();
  gate.mode.store((now & kAttentionHooks) != 0  ? HookMode::kLook
                  : (now & kAttentionOver) != 0 ? HookMode::kDormant
                  : now == kAttentionSampling   ? HookMode::kSampling
                                                : HookMode::kOrdinary);
}

}  // namespace

__attribute__((cold)) void prepare_hooks() {
  resolve_next_functions();
  at_attention_change(choose_mode);
  register_upcalls();
}

__attribute__((cold)) void look_what_to_do() {
  prepare_hooks();
  if (!gate_is_open()) return choose_mode();
  HookScope scope(InnerCalls::kExpected);
  if (scope.outermost()) answer_at_gate();
}

}  // namespace memlens::interposer
