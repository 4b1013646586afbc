// A program with a bug of the worst kind: it writes into memory that it shares with the collector.
//
//   stray_writes bytes|words|events|tables SEED COUNT
//   stray_writes zero|ones 0 0                           over all of it
//
// A child does it, and ends; then the parent allocates 500 blocks of 100 bytes of which it keeps
// 200.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static char *segment, *segment_end;

static void find_segment(void) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    unsigned long begin, end;
    if (strstr(line, "memfd:memlens") == NULL || sscanf(line, "%lx-%lx rw", &begin, &end) != 2)
      continue;
    if (segment != NULL && (char*)begin != segment_end) continue;
    if (segment == NULL) segment = (char*)begin;
    segment_end = (char*)end;
  }
  if (maps != NULL) fclose(maps);
}

static void allocate(void) {
  for (int i = 0; i < 200; ++i) {
    void* volatile block = malloc(10 + i);
    if (i % 3 != 0) free(block);
  }
}

static void harm(const char* what, long count) {
  const size_t bytes = (size_t)(segment_end - segment);
  if (strcmp(what, "zero") == 0) memset(segment, 0, bytes);
  if (strcmp(what, "ones") == 0) memset(segment, 0xff, bytes);
  for (long i = 0; strcmp(what, "tables") == 0 && i < count; ++i) {
    uint64_t* word = (uint64_t*)segment + next_random() % (bytes / 2 / sizeof(uint64_t));
    *word = next_random() & 1 ? next_random() : next_random() % 4;
  }
  // Chunks are 64 kB; the first ones are the segment's own tables.
  const size_t chunk = 65536;
  const size_t chunks = (size_t)(segment_end - segment) / chunk;
  const size_t first = 8;
  for (long i = 0; i < count; ++i) {
    char* at = segment + (first + next_random() % (chunks < 64 ? chunks - first : 56)) * chunk;
    if (strcmp(what, "bytes") == 0) at[next_random() % chunk] = (char)next_random();
    if (strcmp(what, "words") == 0) ((uint32_t*)at)[next_random() % 32] = (uint32_t)next_random();
    if (strcmp(what, "events") == 0) at[128 + next_random() % 1024] = (char)next_random();
    if (i % 50 == 0) allocate();
  }
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  state = strtoull(argv[2], NULL, 0) * 2654435761u + 88172645463325252ull;
  allocate();
  find_segment();
  if (segment == NULL) return 77;
  const pid_t child = fork();
  if (child == 0) {
    allocate();
    harm(argv[1], atol(argv[3]));
    _exit(0);
  }
  waitpid(child, NULL, 0);
  for (int i = 0; i < 500; ++i) {
    void* volatile block = malloc(100);
    if (i >= 200) free(block);
  }
  puts("finished");
  fflush(stdout);
  _exit(0);
}
