// A program with a bug of the worst kind: it writes into memory that it shares with the collector.
//
//   stray_writes own|bytes|words|events|headers|tables|all SEED COUNT   COUNT random writes
//   stray_writes keys SEED MILLISECONDS    what chunks are sorted by changes while they are copied
//   stray_writes slots 0 0                 slots that name process 1, the collector, and nobody
//   stray_writes truncate 0 0              the segment's file is cut short, by whoever may open it
//   stray_writes zero|ones 0 0             over all of it
//
// A child does it, and ends; then the parent allocates 500 blocks of 100 bytes of which it keeps
// 200. `own` harms the child's own chunks alone. The child ends with 77 where it cannot reach the
// segment.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interposer/segment/layout.h"

using namespace memlens::segment;

static uint64_t state;

static uint64_t next_random() {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static char segment_file[64];
static SegmentHeader* segment;

// All that the collector has mapped, not the small part that a program has: by its descriptor.
static void map_segment() {
  int collector, descriptor;
  const char* session = getenv(kSessionVariable);
  if (session == nullptr || sscanf(session, "%d:%d", &collector, &descriptor) != 2) _exit(77);
  snprintf(segment_file, sizeof segment_file, "/proc/%d/fd/%d", collector, descriptor);
  const int file = open(segment_file, O_RDWR | O_CLOEXEC);
  void* mapped = mmap(nullptr, initial_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) _exit(77);
  close(file);
  segment = static_cast<SegmentHeader*>(mapped);
  if (segment->magic != kMagic || segment->layout_version != kLayoutVersion) _exit(77);
}

static void allocate() {
  for (int i = 0; i < 200; ++i) {
    void* volatile block = malloc(10 + i);
    if (i % 3 != 0) free(block);
  }
}

static ProcessSlot& own_slot() {
  for (ProcessSlot& slot : segment->processes) {
    if (slot.pid == getpid() && slot.state.load() == kSlotLive) return slot;
  }
  _exit(77);
}

static uint32_t some_word() {
  return static_cast<uint32_t>(next_random() & 1 ? next_random() : next_random() % 8);
}

static void write_at_random(const char* what, long count) {
  const bool own = strcmp(what, "own") == 0;
  const uint32_t own_number = own ? static_cast<uint32_t>(&own_slot() - segment->processes) : 0;
  for (long i = 0; i < count; ++i) {
    const uint32_t index = next_random() % kInitialChunks;
    // The first few are those in use, by first fit.
    const uint32_t used = index % 8;
    char* const chunk = reinterpret_cast<char*>(chunk_at(segment, used));
    if (strcmp(what, "bytes") == 0) chunk[next_random() % kChunkBytes] = (char)next_random();
    if (strcmp(what, "words") == 0) ((uint32_t*)chunk)[next_random() % 64] = some_word();
    if (strcmp(what, "events") == 0) chunk[64 + next_random() % 1024] = (char)next_random();
    if (own && segment->chunk_words[index].load() == chunk_word(kOwned, own_number)) {
      reinterpret_cast<char*>(chunk_at(segment, index))[next_random() % 1024] = (char)next_random();
    }
    if (strcmp(what, "headers") == 0) {
      ((uint32_t*)chunk_at(segment, index))[next_random() % 16] = some_word();
      segment->chunk_words[index] = chunk_word((ChunkState)(next_random() % 4), next_random() % 4);
      segment->handed_over = kInitialChunks;
    }
    if (strcmp(what, "tables") == 0) {
      ((uint32_t*)segment)[next_random() % (header_bytes() / 4)] = some_word();
    }
    if (strcmp(what, "all") == 0) {
      ((uint32_t*)segment)[next_random() % (initial_bytes() / 4)] = some_word();
    }
    if (i % 50 == 0) allocate();
  }
}

static volatile bool keys_stay;

static void* change_keys(void*) {
  uint32_t x = 1;
  while (!keys_stay) {
    for (uint32_t i = 4; i < kInitialChunks; ++i) {
      x = x * 1664525 + 1013904223;
      ChunkHeader* const chunk = chunk_at(segment, i);
      chunk->process = x >> 30;
      chunk->sequence = x >> 20 & 15;
      chunk->thread = x >> 16 & 1;
    }
  }
  return nullptr;
}

static void hand_over_changing_chunks(long milliseconds) {
  pthread_t thread;
  pthread_create(&thread, nullptr, change_keys, nullptr);
  for (long i = 0; i < milliseconds; ++i) {
    for (uint32_t index = 4; index < kInitialChunks; ++index) {
      ChunkHeader* const chunk = chunk_at(segment, index);
      chunk->kind = 1 + next_random() % 2;
      chunk->ticks = segment->processes[0].birth_ticks + 1;
      chunk->committed = 1 + next_random() % 4096;
      segment->chunk_words[index] = chunk_word(kFull, next_random() % 3);
    }
    segment->handed_over = kInitialChunks;
    usleep(1000);
  }
  keys_stay = true;
  pthread_join(thread, nullptr);
}

static void fill_slots() {
  const int pids[] = {1, segment->collector_pid, getppid(), 0x7ffffff0, -1, 0};
  for (unsigned i = 0; i < sizeof pids / sizeof *pids; ++i) {
    ProcessSlot& slot = segment->processes[8 + i];
    slot.process = segment->next_process.fetch_add(1);
    slot.pid = pids[i];
    slot.pid_namespace = i % 2 ? own_slot().pid_namespace : 0;
    slot.birth_ticks = own_slot().birth_ticks;
    slot.state = kSlotLive;
  }
  segment->slots_used = 8 + sizeof pids / sizeof *pids;
  segment->births_announced.fetch_add(3);
  usleep(100000);
}

static void truncate_segment() {
  const int file = open(segment_file, O_RDWR | O_CLOEXEC);
  if (ftruncate(file, 0) == 0 || ftruncate(file, 1 << 30) == 0) puts("truncated");
  allocate();
}

static void harm(const char* what, long count) {
  if (strcmp(what, "zero") == 0) {
    memset(segment, 0, initial_bytes());
  } else if (strcmp(what, "ones") == 0) {
    memset(segment, 0xff, initial_bytes());
  } else if (strcmp(what, "keys") == 0) {
    hand_over_changing_chunks(count);
  } else if (strcmp(what, "slots") == 0) {
    fill_slots();
  } else if (strcmp(what, "truncate") == 0) {
    truncate_segment();
  } else {
    write_at_random(what, count);
  }
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  state = strtoull(argv[2], nullptr, 0) * 2654435761u + 88172645463325252ull;
  allocate();
  const pid_t child = fork();
  if (child == 0) {
    map_segment();
    allocate();
    harm(argv[1], atol(argv[3]));
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  for (int i = 0; i < 500; ++i) {
    void* volatile block = malloc(100);
    if (i >= 200) free(block);
  }
  printf("%s\n", status == 0 ? "finished" : "the child did not finish");
  fflush(stdout);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
