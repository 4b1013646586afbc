// A stack for calls that need more of one than a hook may take from the program's: its fibers have
// stacks of some kilobytes.
#pragma once

namespace memlens::interposer {

// Calls `act` on it. One thread at a time; no signal handler may run on the thread meanwhile. False
// without memory for the stack. Not where the thread may be jumped out of.
bool call_on_own_stack(void (*act)(void* argument), void* argument);

}  // namespace memlens::interposer
