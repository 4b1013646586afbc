/* 400,000 seeded calls of the whole malloc family, against the program's own ledger.
   Arguments: seed (default 1), calls (default 400000). */
#include <malloc.h>
#include <stdlib.h>

#include "ledger.h"

enum { kSlots = 4096 };
static void* blocks[kSlots];
static size_t sizes[kSlots];
static struct ledger ledger;
static uint64_t random_state;

static size_t random_size(void) {
  switch (next_random(&random_state) % 16) {
    case 0:
      return 1 + next_random(&random_state) % 200000;
    case 1:
      return 0;
    default:
      return 1 + next_random(&random_state) % 700;
  }
}

static void fill(int slot, void* block, size_t bytes) {
  if (block == NULL) _exit(1);
  blocks[slot] = block;
  sizes[slot] = bytes;
  memset(block, slot, bytes);
  ledger_allocated(&ledger, bytes);
}

static void allocate(int slot, unsigned how) {
  size_t bytes = random_size();
  size_t alignment = (size_t)16 << next_random(&random_state) % 6;
  void* block = NULL;
  switch (how % 7) {
    case 0:
      block = malloc(bytes);
      break;
    case 1:
      block = calloc(3, bytes / 3);
      bytes = bytes / 3 * 3;
      break;
    case 2:
      if (posix_memalign(&block, alignment, bytes) != 0) _exit(2);
      break;
    case 3:
      block = aligned_alloc(alignment, bytes / alignment * alignment);
      bytes = bytes / alignment * alignment;
      break;
    case 4:
      block = memalign(alignment, bytes);
      break;
    case 5:
      block = bytes < 5000 ? valloc(bytes) : malloc(bytes);
      break;
    default:
      block = realloc(NULL, bytes);
  }
  fill(slot, block, bytes);
}

static void resize(int slot, unsigned how) {
  size_t bytes = random_size() + 1; /* of none: a free, tested elsewhere */
  void* block;
  if (how % 3 != 0) {
    block = realloc(blocks[slot], bytes);
  } else {
    bytes = bytes / 8 * 8 + 8;
    block = reallocarray(blocks[slot], bytes / 8, 8);
  }
  if (block == NULL) _exit(3);
  blocks[slot] = block;
  ledger_resized(&ledger, sizes[slot], bytes);
  sizes[slot] = bytes;
}

static void release(int slot) {
  free(blocks[slot]);
  blocks[slot] = NULL;
  ledger_freed(&ledger, sizes[slot]);
}

int main(int argc, char** argv) {
  random_state = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1) * 0x9E3779B97F4A7C15ull + 1;
  long calls = argc > 2 ? atol(argv[2]) : 400000;
  for (long call = 0; call < calls; call++) {
    unsigned random = next_random(&random_state);
    int slot = random % kSlots;
    unsigned how = random >> 16;
    if (blocks[slot] == NULL) {
      allocate(slot, how);
    } else if (how % 4 == 0) {
      resize(slot, how / 4);
    } else {
      release(slot);
    }
  }
  ledger_print(&ledger);
  return 0;
}
