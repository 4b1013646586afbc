// count_allocations FILE THREADS [LIMIT]: each thread allocates for ever (or LIMIT blocks) and
// after each block raises its counter in FILE, which is mapped: whatever kills the program, FILE
// tells how many blocks there were at least. One block in two is freed.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kMaxThreads = 64, kCounterStride = 8 };

static uint64_t limit;

static void* allocate(void* argument) {
  volatile uint64_t* counter = argument;
  for (uint64_t i = 0; i < limit; ++i) {
    void* block = malloc(16 + i % 200);
    *counter = i + 1;
    if (i % 2 == 0 || i > 100000) free(block);
  }
  return NULL;
}

int main(int argc, char** argv) {
  int threads = atoi(argv[2]);
  limit = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;
  int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
  size_t bytes = kMaxThreads * kCounterStride * sizeof(uint64_t);
  if (fd < 0 || ftruncate(fd, bytes) != 0) return 1;
  uint64_t* counters = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (counters == MAP_FAILED) return 1;
  pthread_t ids[kMaxThreads];
  for (int i = 1; i < threads; ++i) {
    pthread_create(&ids[i], NULL, allocate, counters + i * kCounterStride);
  }
  allocate(counters);
  for (int i = 1; i < threads; ++i) pthread_join(ids[i], NULL);
  return 0;
}
