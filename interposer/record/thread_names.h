// Threads' names: each thread defines its own.
#pragma once

namespace memlens::interposer {

// The calling thread has been given a name. From a hook or a signal handler.
void own_name_was_given();

// Another thread may have been. It cannot be told which from its pthread_t, so each looks at its
// own name when it next writes a time record.
void name_of_another_was_given();

// Reads the calling thread's name again if another thread may have given it one. From inside a
// hook, with a thread state.
void poll_thread_name();

}  // namespace memlens::interposer
