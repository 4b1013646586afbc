// The libraries of the process, as the capture knows them.
//
// dlopen must not be wrapped: it looks at its return address to choose the caller's RUNPATH and
// namespace, so a wrapper that calls it and then does something changes which file is found. Our
// hook therefore only leaves a note and jumps on. The list is compared with the loader's (by its
// counters of loads and unloads) soon after such a note, and around every dlclose, so that a
// library is known before it goes.
//
// The loader's lock is taken by a comparison, and a child forked from another thread meanwhile
// would find it locked for good. So comparisons are rare (a note, and then at most one every 10 ms
// for a second), none runs during our fork hook, and a forked child tells the capture from the list
// it inherited, without asking the loader.
#pragma once

#include <cstdint>

namespace memlens::interposer {

// Compares with the loader's list and defines what came and went. From inside a hook or not, on any
// thread; does nothing while another thread is at it. Not from a signal handler or vfork child.
void scan_modules();

// A library may be loaded soon, or code has been met that no known library has. Any context.
void expect_module_change();

// scan_modules() if a change is expected and the time has come. From inside a hook.
void poll_modules();

// Defines the inherited list in a forked child, once it is a recorded process of its own.
void describe_inherited_modules();

// Goes up when libraries came or went.
uint32_t module_generation();

// No scan of another thread's runs between the two.
void hold_module_scans();
void release_module_scans();

}  // namespace memlens::interposer
