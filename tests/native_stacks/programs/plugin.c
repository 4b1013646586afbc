/* Built twice, with another FUNCTION and BYTES, into libraries of the same shape. */
#include <stdlib.h>

__attribute__((noinline)) void* FUNCTION(void) {
  void* block = malloc(BYTES);
  __asm__ volatile("" ::"r"(block) : "memory");
  return block;
}

void* entry(void) {
  void* block = FUNCTION();
  __asm__ volatile("");
  return block;
}
