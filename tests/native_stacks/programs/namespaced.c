/* Opened into a namespace with a libc of its own: what it is given allocates. */
void* in_namespace(void* (*allocate)(void)) {
  void* block = allocate();
  __asm__ volatile("" ::"r"(block) : "memory");
  return block;
}
