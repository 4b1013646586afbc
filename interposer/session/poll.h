// What is looked at now and then (every kilobyte of a thread's events, or every 10 ms): has Python
// been initialised, have libraries been loaded. Cheap; from inside any hook.
#pragma once

namespace memlens::interposer {

void poll_environment();

}  // namespace memlens::interposer
