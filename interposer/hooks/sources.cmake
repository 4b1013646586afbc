target_sources(memlens_interposer_objects PRIVATE
  hooks/allocator_module.cpp
  hooks/brk_hooks.cpp
  hooks/dynamic_loading_hooks.cpp
  hooks/exec_environment.cpp
  hooks/exec_hooks.cpp
  hooks/exec_target.cpp
  hooks/fork_hooks.cpp
  hooks/jemalloc_hooks.cpp
  hooks/malloc_hooks.cpp
  hooks/operator_new_hooks.cpp
  hooks/mapping_hooks.cpp
  hooks/next_definition.cpp
  hooks/program_start.cpp
  hooks/sanitizer_options.cpp
  hooks/spawn_hooks.cpp
  hooks/thread_hooks.cpp
)
