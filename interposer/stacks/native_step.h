// One step of a native stack's climb: by the rule of the address, and where no rule will do, by all
// registers, by frame pointers, or over a frame of many megabytes.
#pragma once

#include <cstdint>

#include "interposer/stacks/native_frame.h"
#include "interposer/stacks/native_stack.h"
#include "interposer/stacks/processor.h"

namespace memlens::interposer {

enum class Stepped : uint8_t {
  kOut,
  kAtEnd,
  // Nor is this a frame: makecontext() has its stacks return to a function that nobody called them
  // from.
  kBeyondEnd,
};

// Steps out of `position`, noting in `frame` what the step depends on. Keeps errno.
Stepped step(NativeStackState& state, unwind::Position& position, NativeFrame& frame);

}  // namespace memlens::interposer
