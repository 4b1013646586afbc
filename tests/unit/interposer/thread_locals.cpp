// The interposer's thread-locals, for unit tests that do not link its hooks.
#include "interposer/reentrancy.h"

namespace memlens::interposer {
constinit thread_local ThreadState* thread_state = nullptr;
constinit thread_local uintptr_t hook_frame = 0;
}  // namespace memlens::interposer
