// The libraries of the process, as the capture knows them.
//
// Our hook of dlopen leaves a note, and mostly cannot do more (hooks/dynamic_loading_hooks.cpp says
// why). The list is compared with the loader's soon after such a note, and around every dlclose, so
// that a library is known before it goes.
//
// The loader is not asked, and its lock not taken: loader_list.h. Comparisons are rare all the same
// (a note, and then at most one every 10 ms for a second), and none runs during our fork hook.
#pragma once

#include <link.h>

#include <cstdint>

namespace memlens::interposer {

// Compares with the loader's list and defines what came and went. From inside a hook or not, on any
// thread; does nothing while another thread is at it, or unloads something. Not from a signal
// handler or vfork child.
void scan_modules();

// A library may be loaded soon. Any context.
void expect_module_change();

// Code of this object is in a stack (at_object_met()). From inside a hook.
void met_object(const link_map* link);

// scan_modules() if a change is expected and the time has come. From inside a hook.
void poll_modules();

// Where the program has called something that is no allocator, on a thread that holds nothing of
// one's: scan_modules() if a change is expected, and what may only be done there
// (hidden_jemalloc.h). Not from inside a hook.
void look_at_safe_place();

// The same for whoever joins a session.
void scan_modules_while_joining();

// Defines the list as it is known, in a session that has just been joined.
void describe_known_modules();

// In a forked child: whoever looked at the list is no thread of this process.
void inherit_modules();

// Whether any library but the program itself has a DT_RPATH, as of the last comparison.
bool libraries_have_rpath();

// Goes up when libraries came or went.
uint32_t module_generation();

}  // namespace memlens::interposer
