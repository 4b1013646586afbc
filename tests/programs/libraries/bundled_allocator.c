/* A library that brings an allocator of its own, as wheels with a mimalloc or jemalloc inside do.
   It keeps its own account (ledger.h) of what was asked of it. Compiled several times:

     default            mimalloc's functions with a prefix, exported and called through the
   procedure linkage table, which is filled when it is called, or before (RELRO) -Bsymbolic the
   same, called directly HIDDEN_ALLOCATOR   jemalloc's, not exported: seen only by what it prints

   Memory comes from one mapping made by a constructor and from others made within calls; large
   blocks fall back to malloc, which is nobody's but the outer call's. Blocks are never given to
   anybody again, so that a double or lost free shows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../ledger.h"

#define EXPORTED __attribute__((visibility("default")))
#ifdef HIDDEN_ALLOCATOR
#define ALLOCATOR static
#define NAME(function) _rjem_##function
const char* bundled_complaint = "<jemalloc>: out of memory\n";
#else
#define ALLOCATOR EXPORTED
#define NAME(function) bundled_mi_##function
#endif

enum { kChunkBytes = 1 << 20, kLargeBytes = 1 << 18 };

struct header {
  void* fallback; /* what malloc returned */
  size_t bytes;
};

static char* chunk;
static size_t used = kChunkBytes;
static struct ledger ledger;
static volatile int lock;

static void enter(void) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
  }
}
static void leave(void) { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

static void map_chunk(void) {
  chunk = mmap(NULL, kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk == MAP_FAILED) abort();
  used = 0;
}

/* Outside any call, as allocators do that reserve when they are loaded. */
__attribute__((constructor)) static void reserve(void) { map_chunk(); }

static void* take(size_t bytes, size_t alignment) {
  const size_t header_bytes = (sizeof(struct header) + alignment - 1) & -alignment;
  char* block;
  void* fallback = NULL;
  if (bytes + header_bytes + alignment > kLargeBytes) {
    fallback = malloc(bytes + header_bytes + alignment);
    block = (char*)(((uintptr_t)fallback + header_bytes + alignment - 1) & -alignment);
  } else {
    enter();
    size_t start = (used + header_bytes + alignment - 1) & -alignment;
    if (start + bytes > kChunkBytes) {
      map_chunk();
      start = header_bytes;
    }
    block = chunk + start;
    used = start + bytes;
    leave();
  }
  struct header* header = (struct header*)block - 1;
  header->fallback = fallback;
  header->bytes = bytes;
  return block;
}

/* As a second allocator in the same library does. */
EXPORTED void bundled_map_beside(size_t bytes) {
  mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static size_t bytes_of(void* block) { return ((struct header*)block - 1)->bytes; }

static void give(void* block) {
  struct header* header = (struct header*)block - 1;
  if (header->fallback != NULL) free(header->fallback);
}

static void* new_block(size_t bytes, size_t alignment) {
  enter();
  ledger_allocated(&ledger, bytes);
  leave();
  return take(bytes, alignment);
}

static void old_block(void* block) {
  enter();
  ledger_freed(&ledger, bytes_of(block));
  leave();
  give(block);
}

static void* resize(void* block, size_t bytes, size_t alignment) {
  if (bytes == SIZE_MAX) return NULL; /* the block lives on */
  if (block == NULL) return new_block(bytes, alignment);
  const size_t old_bytes = bytes_of(block);
  enter();
  ledger_resized(&ledger, old_bytes, bytes);
  leave();
  void* moved = take(bytes, alignment);
  memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
  give(block);
  return moved;
}

ALLOCATOR void* NAME(malloc)(size_t bytes) { return new_block(bytes, 16); }
ALLOCATOR void* NAME(malloc_aligned)(size_t bytes, size_t alignment) {
  return new_block(bytes, alignment);
}
ALLOCATOR void* NAME(calloc)(size_t count, size_t bytes) {
  return memset(new_block(count * bytes, 16), 0, count * bytes);
}
ALLOCATOR void* NAME(zalloc)(size_t bytes) { return memset(new_block(bytes, 16), 0, bytes); }
ALLOCATOR void* NAME(realloc)(void* block, size_t bytes) { return resize(block, bytes, 16); }
ALLOCATOR void* NAME(realloc_aligned)(void* block, size_t bytes, size_t alignment) {
  return resize(block, bytes, alignment);
}
ALLOCATOR void NAME(free)(void* block) {
  if (block != NULL) old_block(block);
}
ALLOCATOR void NAME(free_size)(void* block, size_t bytes) {
  (void)bytes;
  NAME(free)(block);
}

/* Calls of every kind; one block in eight stays. Returns the number of calls that failed. */
EXPORTED int bundled_churn(int rounds) {
  int failed = 0;
  for (int i = 0; i < rounds; i++) {
    const size_t bytes = 24 + (size_t)i % 1000 + (i % 97 == 0 ? kLargeBytes : 0);
    void* block = NULL;
    switch (i % 4) {
      case 0:
        block = NAME(malloc)(bytes);
        break;
      case 1:
        block = NAME(malloc_aligned)(bytes, 64);
        break;
      case 2:
        block = NAME(calloc)(2, bytes);
        break;
      case 3:
        block = NAME(zalloc)(bytes);
        break;
    }
    if (i % 5 == 0) block = NAME(realloc)(block, bytes + 100);
    if (i % 5 == 1) block = NAME(realloc_aligned)(block, bytes + 10, 64);
    if (i % 11 == 0 && NAME(realloc)(block, SIZE_MAX) == NULL) failed++;
    if (i % 8 == 0) continue;
    if (i % 2 == 0) {
      NAME(free)(block);
    } else {
      NAME(free_size)(block, bytes);
    }
  }
  return failed;
}

EXPORTED void bundled_print_ledger(void) { ledger_print(&ledger); }
