/* A library with jemalloc inside, linked statically and exported by no name, as wheels with Rust
   extensions have it: each call of it is a direct one. It keeps its own account (ledger.h), of
   what was asked of it. PROGRAM: the same as a program whose malloc it is. */
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../ledger.h"

#define EXPORTED __attribute__((visibility("default")))

static struct ledger ledger;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void* got(void* block, size_t bytes) {
  if (block == NULL) abort();
  memset(block, 1, bytes);
  ledger_allocated(&ledger, bytes);
  return block;
}

static void* resized(void* block, size_t old_bytes, size_t bytes) {
  if (block == NULL) abort();
  ledger_resized(&ledger, old_bytes, bytes);
  return block;
}

static void* allocate(int kind, size_t* bytes) {
  void* block = NULL;
  switch (kind) {
    case 0:
      return got(malloc(*bytes), *bytes);
    case 1:
      *bytes *= 3;
      return got(calloc(3, *bytes / 3), *bytes);
    case 2:
      return posix_memalign(&block, 256, *bytes) == 0 ? got(block, *bytes) : NULL;
    case 3:
      return got(aligned_alloc(64, *bytes), *bytes);
    case 4:
      return got(memalign(128, *bytes), *bytes);
    case 5:
      return got(valloc(*bytes), *bytes);
    case 6:
      return got(mallocx(*bytes, MALLOCX_ALIGN(32)), *bytes);
    case 7:
      return got(realloc(NULL, *bytes), *bytes);
    default:
      return got(mallocx(*bytes, 0), *bytes);
  }
}

static void* resize(int kind, void* block, size_t* bytes) {
  const size_t old_bytes = *bytes;
  if (kind < 3) {
    /* Within its size class, to another, to a large one. */
    *bytes += kind == 0 ? 1 : kind == 1 ? 1000 : 100000;
    return resized(realloc(block, *bytes), old_bytes, *bytes);
  }
  if (kind == 3) {
    *bytes += 5000;
    return resized(rallocx(block, *bytes, 0), old_bytes, *bytes);
  }
  if (kind == 4) {
    const size_t real_bytes = xallocx(block, *bytes + 1, 0, 0);
    if (real_bytes >= *bytes + 1) resized(block, old_bytes, ++*bytes);
    return block;
  }
  if (realloc(block, SIZE_MAX / 2) != NULL) abort(); /* the block lives on */
  return block;
}

static void release(int kind, void* block, size_t bytes) {
  ledger_freed(&ledger, bytes);
  if (kind == 1) {
    dallocx(block, 0);
  } else if (kind == 8) {
    sdallocx(block, bytes, 0); /* not of an aligned block, whose size class is another */
  } else {
    free(block);
  }
}

EXPORTED int bundled_churn(int rounds) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < rounds; i++) {
    size_t bytes = 24 + (size_t)i % 1000 + (i % 97 == 0 ? 300000 : 0);
    void* block = allocate(i % 9, &bytes);
    if (i % 5 == 0) block = resize(i % 7, block, &bytes);
    if (i % 8 != 0) release(i % 9, block, bytes);
  }
  free(NULL);
  pthread_mutex_unlock(&lock);
  return 0;
}

EXPORTED void bundled_print_ledger(void) { ledger_print(&ledger); }

#ifdef PROGRAM
int main(void) {
  bundled_churn(10000);
  bundled_print_ledger();
  return 0;
}
#endif
