// What a hook that may be the process's first call does before anything else.
#pragma once

#include "interposer/session/gate.h"

namespace memlens::interposer {

// Before any hook is called: the functions that they go on to are known, and what is recorded sets
// the gate's mode. Again and again; any context.
void prepare_hooks();

// For hooks that find kLook: the process's first call, or somebody at the gate. Any context.
void look_what_to_do();

__attribute__((always_inline)) inline void be_ready() {
  if (__builtin_expect(hook_mode() == segment::HookMode::kLook, 0)) look_what_to_do();
}

}  // namespace memlens::interposer
