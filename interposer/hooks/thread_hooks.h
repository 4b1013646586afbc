// Threads' names.
#pragma once

namespace memlens::interposer {

// Reads the calling thread's name again if another thread may have given it one. From inside a
// hook, with a thread state.
void poll_thread_name();

}  // namespace memlens::interposer
