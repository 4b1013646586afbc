// fragmented_heap BLOCK_BYTES KEEP_EVERY [THREADS]: allocates 60 MB in blocks, keeps every
// KEEP_EVERYth (0: the last alone), marks the moment, and prints what malloc says of itself then
// and what malloc_trim really gives back. With THREADS, each of so many threads does the allocating
// and the freeing, all at once, and what they keep is given back to nobody.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kBytes = 60000000 };

static size_t block_bytes, keep_every;
static pthread_barrier_t all_allocated, all_marked;

static char** allocate(size_t count) {
  char** blocks = malloc(count * sizeof *blocks);
  for (size_t i = 0; i < count; i++) blocks[i] = memset(malloc(block_bytes), 1, block_bytes);
  return blocks;
}

static void free_most(char** blocks, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (keep_every == 0 ? i + 1 < count : i % keep_every != 0) free(blocks[i]);
  }
}

static long resident_bytes(void) {
  char text[64] = {0};
  FILE* file = fopen("/proc/self/statm", "r");
  fread(text, 1, sizeof text - 1, file);
  fclose(file);
  return atol(strchr(text, ' ')) * sysconf(_SC_PAGESIZE);
}

static void mark_and_tell(void) {
  resident_bytes();  // its buffers are there from now on
  fflush(stdout);
  void (*mark)(const char*) = (void (*)(const char*))dlsym(RTLD_DEFAULT, "memlens_mark");
  if (mark != NULL) mark("fragmented");
  struct mallinfo2 info = mallinfo2();
  long before = resident_bytes();
  malloc_trim(0);
  printf("{\"held\": %zu, \"free\": %zu, \"mapped\": %zu, \"trimmed\": %ld}\n",
         info.arena + info.hblkhd, info.fordblks, info.hblkhd, before - resident_bytes());
}

static void* work(void* count) {
  char** blocks = allocate((size_t)count);
  pthread_barrier_wait(&all_allocated);
  free_most(blocks, (size_t)count);
  pthread_barrier_wait(&all_allocated);
  pthread_barrier_wait(&all_marked);
  return NULL;
}

int main(int argc, char** argv) {
  block_bytes = atol(argv[1]);
  keep_every = atol(argv[2]);
  size_t threads = argc > 3 ? atol(argv[3]) : 0;
  size_t count = kBytes / block_bytes / (threads == 0 ? 1 : threads);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("\n");
  if (threads == 0) {
    char** blocks = allocate(count);
    free_most(blocks, count);
    mark_and_tell();
    return 0;
  }
  pthread_barrier_init(&all_allocated, NULL, threads + 1);
  pthread_barrier_init(&all_marked, NULL, threads + 1);
  pthread_t ids[64];
  for (size_t i = 0; i < threads; i++) pthread_create(&ids[i], NULL, work, (void*)count);
  pthread_barrier_wait(&all_allocated);
  pthread_barrier_wait(&all_allocated);
  mark_and_tell();
  pthread_barrier_wait(&all_marked);
  for (size_t i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  return 0;
}
