target_sources(memlens_interposer_objects PRIVATE
  stacks/node_table.cpp
  stacks/python_stack.cpp
  stacks/stack_capture.cpp
)
