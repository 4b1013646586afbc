#include "interposer/stacks/python_tasks.h"

#include "interposer/definitions/definitions.h"
#include "interposer/python/interpreter_frame.h"
#include "interposer/python/thread_of_interpreter.h"
#include "interposer/stacks/python_nodes.h"

namespace memlens::interposer {
namespace {

using python::runtime;
using python::StatedLayout;

python::RunningTask find_by_caller(PythonStackState& state, uint32_t position,
                                   const char* coroutine) {
  while (position-- > 0) {
    PythonFrame& caller = state.stack[position];
    const char* const frame = frame_at(state, position);
    if (python::is_interpreters_own<StatedLayout>(frame)) continue;
    // Most coroutines are awaited by another.
    if (python::generator_of(runtime.layout, frame) != nullptr) return {};
    if (caller.code_id == kUnresolvedCode) {
      caller.code_id = resolve_code<StatedLayout>(state, frame, caller.code);
    }
    return python::find_in_handle(coroutine, frame, caller.code_id);
  }
  return {};
}

__attribute__((noinline)) TaskOnStack* find_new_task(PythonStackState& state, uint32_t position,
                                                     const char* coroutine) {
  if (state.task_count == PythonStackState::kTasks) return nullptr;
  python::RunningTask task;
  if (python::thread_names_its_task(runtime.layout)) {
    const void* const thread_state = python::thread_state_of<StatedLayout>(state.thread);
    if (thread_state == nullptr) return nullptr;
    // A task has one coroutine; further ones are awaited.
    if (state.task_count > 0 && state.tasks[state.task_count - 1].task.object ==
                                    python::task_of_thread(runtime.layout, thread_state)) {
      return nullptr;
    }
    task = python::find_in_thread(coroutine, thread_state);
  } else {
    task = find_by_caller(state, position, coroutine);
  }
  if (task.object == nullptr) return nullptr;
  TaskOnStack& found = state.tasks[state.task_count++];
  found = {task, position, python::name_of(task), format::kRootNode, 0};
  return &found;
}

TaskOnStack* find_task(PythonStackState& state, uint32_t position) {
  for (uint32_t i = state.task_count; i-- > 0;) {
    if (state.tasks[i].position == position) return &state.tasks[i];
  }
  const char* const coroutine = python::generator_of(runtime.layout, frame_at(state, position));
  return coroutine == nullptr ? nullptr : find_new_task(state, position, coroutine);
}

}  // namespace

uint32_t on_task(PythonStackState& state, uint32_t position, uint32_t parent) {
  TaskOnStack* const found = find_task(state, position);
  if (__builtin_expect(found == nullptr, 1)) return parent;
  if (found->node != 0 && found->parent == parent) return found->node;
  PythonFrame& entry = state.stack[position];
  if (entry.code_id == kUnresolvedCode) {
    entry.code_id = resolve_code<StatedLayout>(state, frame_at(state, position), entry.code);
  }
  if (entry.code_id == 0) return parent;
  const uint32_t node = intern_task_node(parent, entry.code_id, found->name);
  if (node == format::kRootNode) return parent;
  found->parent = parent;
  return found->node = node;
}

}  // namespace memlens::interposer
