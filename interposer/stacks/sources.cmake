target_sources(memlens_interposer_objects PRIVATE
  stacks/hybrid_interpreter.cpp
  stacks/hybrid_stack.cpp
  stacks/module_places.cpp
  stacks/native_caches.cpp
  stacks/native_nodes.cpp
  stacks/native_runs.cpp
  stacks/native_stack.cpp
  stacks/node_table.cpp
  stacks/own_code.cpp
  stacks/python_stack.cpp
  stacks/stack_capture.cpp
  stacks/unwind_cfi.cpp
  stacks/unwind_memory.cpp
  stacks/unwind_objects.cpp
  stacks/unwind_registers_x86_64.cpp
  stacks/unwind_rule_x86_64.cpp
)
