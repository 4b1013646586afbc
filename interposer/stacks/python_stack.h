// The Python stack of the calling thread, as a node of the stack tree.
//
// The interpreter's frames are walked when an event happens; nothing is done per call. (A profile
// function costs 100 ns a Python call: fib becomes 4 times slower without a single allocation.)
//
// The validated cache. Consecutive events of a thread have nearly the same stack, so the last one
// is kept, each frame with its node. A walk goes outward from the innermost frame until it meets a
// frame of the kept stack, and then compares link, code and instruction of each frame further out.
// Stopping at the meeting point is not enough: a frame at the same address with the same code and
// instruction may be a new activation, called from somewhere else. In deep stacks it is the time
// passed that says how far out that is possible. What differs is interned anew, from the outermost
// difference inward.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/format/metadata_records.h"
#include "interposer/python/running_task.h"
#include "interposer/python/thread_of_interpreter.h"

namespace memlens::interposer {

// Recursion deeper than this is shown by its innermost frames on top of a label. The outermost
// would leave out the line that allocates; both would need a walk of the whole stack each time.
// A label instead of a sliding window keeps the number of nodes small: in plain recursion
// the innermost frames are the same at every depth.
inline constexpr uint32_t kMaxPythonFrames = 4096;
inline constexpr uint32_t kInnermostFramesOfDeepStack = 128;
inline constexpr char kDeepStackLabel[] = "[... deeper frames not recorded]";

// A frame of the kept stack is linked to the next one further out, and runs an instruction: what
// each event compares, in memory of its own. `links[i]` is what frame i is linked to, so `links[i +
// 1]` tells where frame i itself is.
struct PythonLink {
  const char* previous;  // the interpreter's frame; null: the outermost is linked to nothing
  uint64_t instruction;  // as the frame holds it
};

// What else is kept of it. Which code object it runs is asked for only when its node is not known.
inline constexpr uint32_t kUnresolvedCode = 0xffffffffu;
struct PythonFrame {
  uintptr_t code;    // as the frame holds it, tags and all
  uint32_t code_id;  // kUnresolvedCode, or 0: the interpreter's own, without Python code
  uint32_t node;     // of the stack up to here
};

// An asyncio task on the kept stack: its node lies below that of its coroutine's frame.
struct TaskOnStack {
  python::RunningTask task;
  uint32_t position;  // of the coroutine's frame
  uint32_t name;
  uint32_t parent;  // `node` is on top of it
  uint32_t node;    // 0: not made yet
};

// Caches of one thread. Zeroed memory is a valid initial state.
struct PythonStackState {
  // A direct-mapped cache in front of intern_python_node(). Nodes mean the same in all threads for
  // as long as the process records, so only keys that name an instruction by its address can go
  // out of date: they hold the lower bits of the code objects' generation.
  struct InternEntry {
    uint64_t key;  // of the frame's place in its code
    uint32_t parent;
    uint32_t node;  // 0: empty
  };
  // The same in front of code_id_of(); valid while the generation is the present one.
  struct CodeEntry {
    uintptr_t code;
    uint32_t generation;
    uint32_t id;
  };
  static constexpr uint32_t kInternEntries = 4096;
  static constexpr uint32_t kCodeEntries = 512;
  static constexpr uint32_t kPositions = 1024;
  // Tasks that run to their first await where they are made, inside of one another.
  static constexpr uint32_t kTasks = 4;

  uint32_t depth;       // frames in `stack`, outermost first
  uint32_t generation;  // of the code objects in `stack`
  python::InterpreterThread thread;
  uint64_t walked_at;        // in ticks: when `stack` was compared last; 0: not known
  uint64_t ns_per_tick;      // in 2^-32 ns; 0: that cannot be told
  uint32_t deep_stack_node;  // of kDeepStackLabel; 0: not made yet
  uint32_t task_count;
  // Not every block is recorded, so that a task may have come and gone unseen: names are compared.
  bool may_miss_tasks;
  TaskOnStack tasks[kTasks];       // by position, innermost last
  uint16_t positions[kPositions];  // frame address, hashed: where in `stack` it may be
  CodeEntry codes[kCodeEntries];
  InternEntry interned[kInternEntries];
  PythonLink links[kMaxPythonFrames + 1];
  PythonFrame stack[kMaxPythonFrames];
  const char* fresh[kMaxPythonFrames];  // frames of the walk under way, innermost first

  // Makes the caches fit for another thread of the same process. (In a forked child, the memory is
  // zeroed instead: nodes are numbered anew.)
  // `steady_ticks_per_us`: segment::SegmentHeader's.
  void reset(uint32_t steady_ticks_per_us, bool records_every_block = true) {
    depth = 0;
    task_count = 0;
    may_miss_tasks = !records_every_block;
    thread = {};
    ns_per_tick = steady_ticks_per_us == 0 ? 0 : (uint64_t{1000} << 32) / steady_ticks_per_us;
  }
};

// The node of the calling thread's Python stack; kRootNode when it has none, when there is no
// Python, or when its layout is unknown. Works while the GIL is released (the thread's frames are
// frozen then) and while the interpreter shuts down. Called inside a HookScope. Does not allocate.
using PythonCapture = uint32_t (*)(PythonStackState& state);
extern std::atomic<PythonCapture> python_capture;
inline uint32_t capture_python_stack(PythonStackState& state) {
  return python_capture.load(std::memory_order_acquire)(state);
}

// What a walk of the interpreter's frames found.
struct PythonWalk {
  uint32_t depth;      // frames in `stack`; 0: no Python stack, or one too deep to keep
  uint32_t unchanged;  // of these, the outermost that are what the last walk found
  uint32_t deep_node;  // of a stack too deep to keep; kRootNode otherwise
};

// For weaving native frames in: brings `state.stack` up to date and leaves the nodes to the caller,
// who makes woven ones. One state is used for this or for capture_python_stack(), not for both.
PythonWalk walk_python_stack(PythonStackState& state);

// Whether capture_python_stack() can give anything but the root; walk_python_stack() may be called.
bool python_stacks_ready();

// Begins to take Python stacks, with python::runtime found and its layout known. Once a process.
void start_python_stacks();

// Whether the evaluation loop was entered from C with this frame: such a frame and those inside it,
// up to the next entry, share one C activation of the loop.
bool is_entry_frame(PythonStackState& state, uint32_t position);

// Whether a run of the loop begins at `position`: from 3.12 on at the interpreter's own mark, which
// is there before the first Python frame of the run and still after the last.
bool begins_loop(PythonStackState& state, uint32_t position);

// Where on the C stack the interpreter's own frame is that marks the run of the loop beginning at
// `position`; 0: it is none, or elsewhere. From 3.12 on.
uintptr_t entry_on_c_stack(PythonStackState& state, uint32_t position);

// The node of the kept frame at `position` on top of `parent`, which need not be a Python frame.
uint32_t intern_python_frame(PythonStackState& state, uint32_t position, uint32_t parent);

}  // namespace memlens::interposer
