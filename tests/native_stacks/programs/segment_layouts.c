// Allocates under three functions, each in a section of its own, which the linker may be told to
// put far from the others: linked in several ways, the stacks are the same.
#include <stdlib.h>

#define FAR(name) __attribute__((noinline, section(name)))

static void* volatile kept[64];

FAR(".far_leaf") static void keep(int i, size_t bytes) {
  kept[i] = malloc(bytes);
  __asm__ volatile("");
}

FAR(".far_middle") static void middle(int i) {
  keep(i, 1000);
  __asm__ volatile("");
}

FAR(".far_outer") static void outer(int i) {
  middle(i);
  __asm__ volatile("");
}

int main(void) {
  for (int i = 0; i < 64; ++i) outer(i);
  return 0;
}
