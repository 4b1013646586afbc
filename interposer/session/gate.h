// This process's side of segment/gate.h.
#pragma once

#include "interposer/segment/gate.h"

namespace memlens::interposer {

// In a page of its own. Before open_gate(), and where that is not possible, it is private.
// (Declared hidden, it is reached without a look into the global offset table.)
extern __attribute__((visibility("hidden"))) segment::Gate gate;

// From now on the process can be woken; in a forked child, apart from its parent. False without
// memfd or memory. Any context; keeps errno.
bool open_gate();
bool gate_is_open();

}  // namespace memlens::interposer
