// What beginning and ending a session takes besides where this library was not preloaded: the hooks
// are put into the program and taken out again. SESSIONS.md, "Loaded late", has the order.
//
// Precondition for all but take_hooks_out(), which does nothing else: loaded_late().
#pragma once

namespace memlens::interposer::late_loading {

// Before a session begins, with the patience of a thread of its own. An object that is being loaded
// all the time is left to the looks that follow (program/program_hooks.h). False: none are in.
bool put_hooks_in();

// Those of libraries' own allocators that the last session knew of and took out: what has gone
// since is known by now.
void put_bundled_hooks_back();

// Nothing is recorded any more. From inside a hook: there is no waiting, and what cannot be done
// now is done by the next call, which kAttentionHooks sends here.
void take_hooks_out();

// The same, with the patience that a hook does not have.
void finish_taking_hooks_out();

}  // namespace memlens::interposer::late_loading
