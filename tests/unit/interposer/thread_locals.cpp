// The interposer's thread-locals and what its fast paths look at, for unit tests that do not link
// its hooks.
#include "interposer/guest/reentrancy.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
constinit thread_local ThreadState* thread_state = nullptr;
constinit thread_local uintptr_t hook_frame = 0;
constinit thread_local uint64_t sample_countdown = 0;
constinit thread_local uint64_t sample_interval = 0;
constinit std::atomic<uint32_t> attention{0};
constinit std::atomic<SessionState> session_state{SessionState::kRecording};
constinit std::atomic<uint32_t> session_stays{0};
Process process;
}  // namespace memlens::interposer
