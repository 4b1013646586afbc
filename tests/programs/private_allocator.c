/* Allocates through a malloc of its own under another name, as programs with a jemalloc inside do:
   of the blocks nothing is seen, only that memory is mapped for them. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { kChunkBytes = 1 << 20 };
static char* chunk;
static size_t used = kChunkBytes;

static void* _rjem_malloc(size_t bytes) {
  if (used + bytes > kChunkBytes) {
    chunk = mmap(NULL, kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    used = 0;
    if (chunk == MAP_FAILED) {
      fputs("<jemalloc>: Error in malloc(): out of memory\n", stderr);
      return NULL;
    }
  }
  used += bytes;
  return chunk + used - bytes;
}

int main(void) {
  size_t total = 0;
  for (int i = 0; i < 1000; i++) {
    char* text = _rjem_malloc(1000);
    if (text == NULL) return 1;
    strcpy(text, "text");
    total += strlen(text);
  }
  return total == 4000 ? 0 : 1;
}
