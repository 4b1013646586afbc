// This process's side of segment/gate.h.
#pragma once

#include <atomic>

#include "interposer/segment/gate.h"

namespace memlens::interposer {

// In a page of its own. Before open_gate(), and where that is not possible, it is private.
// (Declared hidden, it is reached without a look into the global offset table.)
extern __attribute__((visibility("hidden"))) segment::Gate gate;

// One word in the gate's page: what is to be recorded, and whether somebody outside asks. Where it
// says that samples are taken, what that needs is there. The hottest hooks ask nothing else.
inline segment::HookMode hook_mode() { return gate.mode.load(std::memory_order_acquire); }

// From now on the process can be woken; in a forked child, apart from its parent. False without
// memfd or memory. Any context; keeps errno.
bool open_gate();
bool gate_is_open();

}  // namespace memlens::interposer
