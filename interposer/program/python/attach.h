// The interpreter's life as the interposer sees it: found, initialised, shutting down.
#pragma once

namespace memlens::interposer {

// Looks for CPython in the process; installs the allocator hooks and begins to take Python stacks
// if it is there. A few microseconds, next to nothing once found. Inside or outside a hook.
//
// From the preload constructor, when whatever is loaded has been relocated.
void python_attach_at_start();
// Whenever modules have been loaded. Any thread, also from inside dlopen: an interpreter that is
// being loaded is left alone until a later poll finds it ready.
void python_attach_loaded();

// Within a session that is being joined, when the interpreter may have been running for long.
void python_attach_while_joining();

// From the recorder's slow path (every kilobyte of a thread's events, every 10 ms). Puts the hooks
// back where pre-initialisation has replaced them, and follows initialisation and its undoing.
void python_poll();

}  // namespace memlens::interposer
