// What the hottest of the hooks look at before anything else.
#pragma once

#include <atomic>

#include "interposer/session/gate.h"

namespace memlens::interposer {

// One word in the gate's page: what is to be recorded, and whether somebody outside asks.
// Where it says that samples are taken, what that needs is there.
inline segment::HookMode hook_mode() { return gate.mode.load(std::memory_order_acquire); }

// Before any hook is called: the functions that they go on to are known, and what is recorded sets
// the word.
void prepare_hooks();

// For hooks that find kLook: the process's first call, or somebody at the gate. Any context.
void look_what_to_do();

}  // namespace memlens::interposer
