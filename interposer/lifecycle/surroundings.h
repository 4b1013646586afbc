// What changes around a recorded program while it runs: libraries, Python, threads' names.
#pragma once

namespace memlens::interposer {

// Now and then, by the recorder (session/upcalls.h).
void poll_environment();

// Once, before there are threads: what has been looked at is counted anew in each session.
void watch_surroundings();

}  // namespace memlens::interposer
