// What who records asks of who begins and ends recording, which stands above it (lifecycle/): it is
// called through these, so that nothing here depends on it. Until lifecycle has put its functions
// in, which is before the process's first record, each does nothing.
#pragma once

namespace memlens::interposer {

struct Upcalls {
  // Somebody has asked at the gate (gate.h), or this is a forked child with its parent's. From
  // inside a hook, in its outermost scope.
  void (*answer_at_gate)();
  // The process's first look for a session; false: there is none, or not yet.
  bool (*join_session)();
  // The order word is 0: registers a forked child as a process of its own. False: it is not to be
  // recorded. The thread's state is gone afterwards.
  bool (*continue_as_forked_child)();
  // Now and then (every kilobyte of a thread's events, or every 10 ms): has Python been
  // initialised, have libraries been loaded. Cheap; from inside any hook, with a thread state.
  void (*poll_environment)();
  // On a thread that may wait for the loader. Whether this process is recorded afterwards.
  bool (*look_at_gate)();
  // After a session's end was told to everybody else. From inside a hook.
  void (*take_hooks_out)();
};
extern Upcalls upcalls;

}  // namespace memlens::interposer
