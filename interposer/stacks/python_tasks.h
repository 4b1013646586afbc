// The asyncio tasks on the kept Python stack.
//
// A task is found when its coroutine's frame is new on the kept stack. As long as the frames out to
// there stay what they were, one look at the thread or at the handle tells that it is still the
// same task by the same name. Both are compiled into the walk once asyncio has been seen, and not
// before.
#pragma once

#include <cstdint>

#include "interposer/python/running_task.h"
#include "interposer/stacks/python_stack.h"

namespace memlens::interposer {

// What the frame at `position` stands on: `parent`, or the task whose coroutine it is.
uint32_t on_task(PythonStackState& state, uint32_t position, uint32_t parent);

// The innermost one is: those further out are suspended meanwhile.
template <typename L>
bool tasks_are_as_before(const PythonStackState& state, const void* thread_state) {
  if (state.task_count == 0) return true;
  const TaskOnStack& kept = state.tasks[state.task_count - 1];
  if (!python::is_still_running(L::get(), kept.task, thread_state)) return false;
  return !state.may_miss_tasks || python::name_of(kept.task) == kept.name;
}

// Forgets the tasks of frames that are not what they were, and lowers `unchanged` to the frame of
// one that is not.
template <typename L>
void follow_tasks(PythonStackState& state, const void* thread_state, uint32_t& unchanged) {
  const auto drop = [&state, &unchanged] {
    while (state.task_count > 0 && state.tasks[state.task_count - 1].position >= unchanged) {
      --state.task_count;
    }
  };
  drop();
  if (tasks_are_as_before<L>(state, thread_state)) return;
  unchanged = state.tasks[state.task_count - 1].position;
  drop();
}

}  // namespace memlens::interposer
