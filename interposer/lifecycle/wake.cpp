// To look at the gate now. A hooked call does so by itself, but a process may make none for long,
// and one that was not preloaded calls no hook before it is recorded.
#include "interposer/lifecycle/lifecycle.h"
#include "interposer/session/control_export.h"

// Joins the session that is asked for at the gate, leaves one that is over, gives a forked child a
// gate of its own. 1: this process is being recorded; 0: it is not. On a thread of its own, or any
// that may wait for the loader: not from a signal handler, not within an allocator.
MEMLENS_CONTROL int memlens_wake(void) { return memlens::interposer::look_at_gate() ? 1 : 0; }
