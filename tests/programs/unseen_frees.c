// Frees blocks whose allocation is nowhere to be seen: 20 that were allocated past every hook, and,
// in a forked child, 30 of its parent's.
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void* __libc_malloc(size_t bytes);

int main(void) {
  void* blocks[30];
  for (int i = 0; i < 20; ++i) {
    void* volatile block = __libc_malloc(100);
    free(block);
  }
  for (int i = 0; i < 30; ++i) blocks[i] = malloc(100);
  if (fork() == 0) {
    for (int i = 0; i < 30; ++i) free(blocks[i]);
    _exit(0);
  }
  wait(NULL);
  for (int i = 0; i < 30; ++i) free(blocks[i]);
  _exit(0);
}
