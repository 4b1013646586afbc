// expect: untracked_allocator
#include <stddef.h>
#include <string.h>
static char pool[8 << 20];
static size_t used;
void* malloc(size_t size) {
  size_t start = used;
  used += (size + 15) & ~(size_t)15;
  return used <= sizeof pool ? pool + start : NULL;
}
void free(void* block) { (void)block; }
void* calloc(size_t n, size_t size) { return malloc(n * size); }
void* realloc(void* old, size_t size) {
  void* block = malloc(size);
  return old && block ? memcpy(block, old, size) : block;
}
int main(void) { return malloc(1000) == NULL; }
