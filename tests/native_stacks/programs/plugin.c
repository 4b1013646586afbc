/* Built with another FUNCTION, BYTES and FRAME each time, into libraries of the same shape. */
#include <stdlib.h>

__attribute__((noinline)) void* FUNCTION(void) {
  volatile char room[FRAME];
  room[0] = 0;
  void* block = malloc(BYTES);
  room[1] = 0;
  __asm__ volatile("" ::"r"(block) : "memory");
  return block;
}

void* entry(void) {
  void* block = FUNCTION();
  __asm__ volatile("");
  return block;
}
