// Recording ends, here and now; the program runs on.
#pragma once

namespace memlens::interposer {

// With one line on stderr: `reason` completes "recording stopped: ". From inside a hook, any
// thread; does nothing when it has ended. Keeps errno.
void stop_recording(const char* reason);
void stop_recording_silently();

}  // namespace memlens::interposer
