target_sources(memlens_interposer_objects PRIVATE
  python/allocator_hooks.cpp
  python/attach.cpp
  python/code_table.cpp
  python/debug_offsets.cpp
  python/other_pythons.cpp
  python/pymalloc.cpp
  python/running_task.cpp
  python/runtime.cpp
  python/symbol_lookup.cpp
  python/text.cpp
  python/thread_of_interpreter.cpp
)
