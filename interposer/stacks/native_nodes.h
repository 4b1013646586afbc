// The nodes of native frames in the stack tree.
//
// A stack's node is found by its path, a hash of all its addresses, and those of the frames below
// it are made only when that is not known. Asking for one node after the other, each by its parent,
// is a chain of cache misses, in bench/workloads/words.cpp a quarter of what a stack costs. Two
// stacks have the same path by chance only, in a program of a million stacks once in 30 million
// runs.
#pragma once

#include <cstdint>

#include "interposer/stacks/native_stack.h"

namespace memlens::interposer {

// The node of one frame on top of its parent's; `parent_frame` is nullptr for the outermost.
uint32_t intern_native_frame(NativeStackState& state, uint32_t parent, const NativeFrame& frame,
                             const NativeFrame* parent_frame);

// The node of `run` on top of `frame` and its node.
uint32_t intern_native_run(NativeStackState& state, uint32_t parent, const FrameRun& run,
                           const NativeFrame& frame);

// The node of the `depth` outermost frames, of which the first may have theirs: one by one.
uint32_t node_of_frames(NativeStackState& state, uint32_t depth);

// The node of all frames, of which the `kept` outermost are what they were: by their path.
uint32_t node_of_kept_frames(NativeStackState& state, uint32_t kept);

// The node of the frames from `first` on, on top of `parent`: by their path. None of them keeps
// one.
uint32_t node_of_deep_frames(NativeStackState& state, uint32_t parent, uint32_t first);

// In a forked child: nodes are numbered anew.
void forget_native_nodes();

}  // namespace memlens::interposer
