// Threads that allocate from ever new stacks: many_stacks ALLOCATIONS, of each of four threads,
// begun when a line has been read. Prints "ready" before and "done" after.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
static long allocations;

static void* descend(uint64_t path, int depth) {
  if (depth == 0) return malloc(16);
  void* block = (path & 1) != 0 ? descend(path >> 1, depth - 1) : descend(path >> 1, depth - 1);
  __asm__ volatile("");
  return block;
}

static void* work(void* seed) {
  uint64_t path = (uint64_t)(uintptr_t)seed;
  for (long i = 0; i < allocations; ++i) {
    path = path * 6364136223846793005u + 1442695040888963407u;
    descend(path >> 40, 20);
  }
  return NULL;
}

int main(int argc, char** argv) {
  allocations = argc > 1 ? atol(argv[1]) : 1000;
  char line[16];
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) return 1;
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, work, (void*)(i + 1));
  for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
  puts("done");
  return 0;
}
