// Native and Python frames woven into one stack: `--native` in a Python program.
//
// An evaluation-loop frame of the native stack is replaced by the Python frames it runs: one
// to 3.10, from 3.11 on as many as have called each other without leaving the loop. The interpreter
// marks where it entered the loop (begins_loop), and so the n-th loop from inside runs the frames
// from the n-th such mark on. All other native frames stand where they are: those of an extension
// module between the Python frame that called it and the one it calls back.
//
// Where the two disagree, every Python frame is still shown: loops left over outside (which run the
// frames of another interpreter of this process) stay native frames; Python frames left over (the
// native stack was cut short) join those of the outermost loop or, without any loop, stand alone.
//
// What it costs. In a numpy program six frames of 25 are new an event, and weaving used to intern
// each two and a half times: once for Python alone, once for native frames that only stood inside
// the innermost loop. So nothing is made but woven nodes; a native frame on top of the node it was
// on is not looked up; and of a loop's Python frames only those from the first changed one on are.
// Together with node_table.h, time of this library an allocation and its free (perf, a 2-core
// machine with other jobs on it): in `import numpy` 800 ns before, 430 after, half of it for two
// new nodes; in a loop over small arrays 220 and 205, of it 90 to step and compare, 40 to intern
// the native frames, 25 to weave, 15 for Python's, 25 to record both events. The median event of a
// numpy job (bench/workloads/numpy_job.py, by the time stamp counter): 170 ns an allocation, 80 ns
// over allocations and frees. That what is kept is right was seen by weaving each of 81 million
// stacks of 24 programs on six versions of Python a second time from nothing: 0 came out different.
#pragma once

#include <cstdint>

#include "interposer/stacks/native_stack.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

// Caches of one thread, valid together with those of the two stacks. Zeroed memory is valid.
struct HybridStackState {
  // An evaluation loop of the native stack.
  struct Loop {
    uint32_t native_index;
    uint32_t python_start;  // the first of the Python frames it runs
    uintptr_t stack_pointer;
  };
  uint32_t active;  // the native frames' nodes are woven ones
  uint32_t python_depth;
  uint32_t native_depth;
  uint32_t loop_count;
  uint32_t unbalanced;                      // loops and marks did not match: nothing is kept
  uint32_t node;                            // of the whole stack
  uint32_t lessons;                         // how often loops were looked for in vain
  uint32_t python_nodes[kMaxPythonFrames];  // woven, of the stack up to each Python frame
  Loop loops[kMaxPythonFrames];

  void reset() {
    active = 0;
    native_depth = 0;
    python_depth = 0;
    loop_count = 0;
    unbalanced = 0;
  }
};

// The node of the calling thread's stack. Inside a HookScope; keeps errno.
uint32_t capture_hybrid_stack(HybridStackState& state, NativeStackState& native,
                              PythonStackState& python);

}  // namespace memlens::interposer
