// expect: reserve
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
int main(void) {
  char* range = mmap(NULL, 1ul << 38, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  memset(range, 1, 5 << 20);
  char* block = malloc(3 << 20);
  memset(block, 1, 3 << 20);
  free(block);
  return 0;
}
