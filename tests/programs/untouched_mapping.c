// A range of which little is ever touched, and one that is unmapped before the program ends.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char* map(size_t bytes) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
              0);
}

int main(void) {
  char* unmapped = map(5ul << 20);
  memset(unmapped, 1, 1 << 20);
  munmap(unmapped, 5ul << 20);
  char* sparse = map(1ul << 40);
  memset(sparse, 1, 10 << 20);
  char* volatile block = malloc(20 << 20);
  memset(block, 1, 20 << 20);
  return 0;
}
