#include "interposer/stacks/hybrid_interpreter.h"

namespace memlens::interposer {

bool is_evaluation_loop(uintptr_t) { return false; }

}  // namespace memlens::interposer
