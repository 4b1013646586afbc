// The asyncio task whose coroutine a frame runs.
//
// Nothing is called, and nothing is kept a task's whole life: a task is looked for when a frame of
// a generator or coroutine is new on a thread's stack, which is once a step. Two ways lead to it:
//   - From 3.14 on the thread's state names the task that runs in it.
//   - Before, an event loop's step is a frame of asyncio's Handle._run, whose first variable is the
//     handle; its callback refers to the task. A loop that is not asyncio's own (uvloop) has no
//     such frame, and a task that is run to its first await when it is made has none either.
// Objects so reached are alive, GIL or not: the thread's own frames refer to them. What is found is
// believed when it is of asyncio's own class or one derived from it, and refers to that coroutine.
// Where the fields of a task are differs from release to release, so the field of the coroutine is
// found by its value. The name is the field behind it, in every version.
#pragma once

#include <atomic>
#include <cstdint>

#include "interposer/python/layout.h"

namespace memlens::interposer::python {

// Set once code of asyncio has been seen. No task before that.
extern std::atomic<bool> asyncio_seen;

struct RunningTask {
  const char* object = nullptr;  // nullptr: none
  uintptr_t name_object = 0;
  // Where it was found: in the callback of the handle that this frame runs. From 3.14 on, nullptr.
  const char* handle_frame = nullptr;
  const char* handle = nullptr;
  const char* callback = nullptr;
  int16_t task_in_callback = 0;
  int16_t name_in_task = 0;
};

// The generator or coroutine that is run by `frame`; nullptr when none is.
inline const char* generator_of(const Layout& layout, const char* frame) {
  constexpr uint8_t kOwnedByGenerator = 1;  // _PyInterpreterFrame.owner, wherever there is that
  const TaskLayout& tasks = layout.tasks;
  if (tasks.frame_generator != kAbsent) {
    return read_field<const char*>(frame, static_cast<size_t>(tasks.frame_generator));
  }
  return read_field<uint8_t>(frame, static_cast<size_t>(layout.frame_owner)) == kOwnedByGenerator
             ? frame - tasks.generator_frame
             : nullptr;
}

// Whether threads' states name their tasks.
inline bool thread_names_its_task(const Layout& layout) {
  return layout.tasks.thread_task != kAbsent;
}
inline const char* task_of_thread(const Layout& layout, const void* thread_state) {
  return read_field<const char*>(thread_state, static_cast<size_t>(layout.tasks.thread_task));
}

// The task that runs `coroutine`: the thread's own, or that of the handle that `caller`, the Python
// frame outside of the coroutine's, runs if its code is asyncio's.
RunningTask find_in_thread(const char* coroutine, const void* thread_state);
RunningTask find_in_handle(const char* coroutine, const char* caller, uint32_t caller_code);

// asyncio's handles have their slots in the order of their names: _args, _callback, and so on.
inline const char* handle_of(const Layout& layout, const char* handle_frame) {
  return reinterpret_cast<const char*>(
      read_field<uintptr_t>(handle_frame, static_cast<size_t>(layout.tasks.frame_locals)) &
      layout.code_mask);
}
inline const char* callback_of(const Layout& layout, const char* handle) {
  return read_field<const char*>(handle,
                                 static_cast<size_t>(layout.objects.count) + sizeof(uintptr_t));
}

// Whether `task`, found earlier on the stack that still stands, is still what runs, and its name
// is the same object. Each object on the way is alive, whatever the answer.
inline bool is_still_running(const Layout& layout, const RunningTask& task,
                             const void* thread_state) {
  if (thread_names_its_task(layout)) {
    if (task_of_thread(layout, thread_state) != task.object) return false;
  } else {
    // All addresses are the kept ones, so that no load waits for another.
    if (handle_of(layout, task.handle_frame) != task.handle ||
        callback_of(layout, task.handle) != task.callback ||
        read_field<const char*>(task.callback, static_cast<size_t>(task.task_in_callback)) !=
            task.object) {
      return false;
    }
  }
  return read_field<uintptr_t>(task.object, static_cast<size_t>(task.name_in_task)) ==
         task.name_object;
}

// The name that somebody gave the task, as a string of the capture; 0: nobody did ("Task-7"), or so
// many names were given that further ones do not tell tasks apart.
uint32_t name_of(const RunningTask& task);

// Of code described for the capture: looks for asyncio's.
void met_code(uint32_t code_id, const char* filename, size_t filename_bytes, const char* name,
              size_t name_bytes);

// Has `seen` called when asyncio_seen becomes true.
void watch_asyncio(void (*seen)());

// In a forked child or another session: ids are numbered anew.
void forget_tasks();

}  // namespace memlens::interposer::python
