target_sources(memlens_interposer_objects PRIVATE
  hooks/bootstrap_heap.cpp
  hooks/malloc_hooks.cpp
)
