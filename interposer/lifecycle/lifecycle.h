// Where recording begins and ends in this process: at its start, in a forked child, when it is
// woken, and when the collector or our own failure ends it. SESSIONS.md has the states.
#pragma once

namespace memlens::interposer {

// Joins the session named in the environment, at the first hooked call; later calls do nothing.
// False while there is no session, or not yet an environment to look in.
bool join_session();

// Somebody has asked at the gate (gate.h) for a session, or this is a forked child with its
// parent's gate. From inside a hook, in its outermost scope.
void answer_at_gate();

// The same on a thread that may wait for the loader (wake.cpp): the only place where a library that
// was not preloaded joins. Whether this process is recorded afterwards.
bool look_at_gate();

// This process has been found to be a forked child (the order word is 0): registers it as a process
// of its own with empty tables. `state` of the calling thread is gone afterwards. False when the
// child is not to be recorded. The caller holds the only SessionStay, or is counted as if.
bool continue_as_forked_child();

// To be called by the fork hook. Before the fork; in the parent when it failed; in the child.
void announce_birth();
void withdraw_birth();
void forked_child_started(bool announced);

// The recorder's way up to the functions above (session/upcalls.h). Again and again.
void register_upcalls();

}  // namespace memlens::interposer
