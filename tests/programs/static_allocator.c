/* Brings its own malloc, which no preloaded library can come before. */
#include <stddef.h>
#include <unistd.h>

static char memory[1 << 20];
static size_t used;

void* malloc(size_t bytes) {
  void* block = memory + used;
  used += (bytes + 15) & ~(size_t)15;
  return block;
}
void free(void* block) { (void)block; }
void* calloc(size_t count, size_t bytes) { return malloc(count * bytes); }
void* realloc(void* block, size_t bytes) {
  char* moved = malloc(bytes);
  for (size_t i = 0; block != NULL && i < bytes; i++) moved[i] = ((char*)block)[i];
  return moved;
}

int main(void) {
  char* text = malloc(6);
  for (int i = 0; i < 6; i++) text[i] = "done\n"[i];
  return write(1, text, 5) == 5 ? 0 : 1;
}
