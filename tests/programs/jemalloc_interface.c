/* jemalloc's extended interface, where it is there (linked or preloaded) and where it is not: a
   program that only looks whether mallocx exists must be able to use it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "ledger.h"

void* mallocx(size_t, int) __attribute__((weak));
void* rallocx(void*, size_t, int) __attribute__((weak));
size_t xallocx(void*, size_t, size_t, int) __attribute__((weak));
void dallocx(void*, int) __attribute__((weak));
void sdallocx(void*, size_t, int) __attribute__((weak));

enum { kAlign64 = 6, kZero = 0x40 };

int main(int argc, char** argv) {
  struct ledger ledger = {0};
  if (mallocx == NULL) {
    if (dlsym(RTLD_DEFAULT, "mallocx") != NULL) return 1;
    dlerror();
    ledger_print(&ledger); /* untracked, and without jemalloc */
    return 0;
  }
  int jemalloc = dlsym(RTLD_DEFAULT, "mallctl") != NULL;
  dlerror();      /* gives back the message about what was not found */
  if (argc > 1) { /* idle: what looking for functions costs */
    ledger_print(&ledger);
    return 0;
  }
  char* block = mallocx(1000, kAlign64 | kZero);
  if (((uintptr_t)block & 63) != 0 || block[0] != 0 || block[999] != 0) return 2;
  ledger_allocated(&ledger, 1000);
  block[999] = 7;
  block = rallocx(block, 3000, kAlign64 | kZero);
  if (((uintptr_t)block & 63) != 0 || block[999] != 7 || block[2999] != 0) return 3;
  ledger_resized(&ledger, 1000, 3000);
  size_t real_bytes = xallocx(block, 2900, 0, 0);
  /* In place, since it shrinks; libc has no such call and says how large the block is. */
  if (real_bytes >= 2900 && jemalloc) {
    ledger_resized(&ledger, 3000, 2900);
  }
  sdallocx(block, 2900, kAlign64);
  ledger_freed(&ledger, jemalloc && real_bytes >= 2900 ? 2900 : 3000);
  block = mallocx(10, 0);
  ledger_allocated(&ledger, 10);
  dallocx(block, 0);
  ledger_freed(&ledger, 10);
  block = malloc(123);
  ledger_allocated(&ledger, 123);
  ledger_print(&ledger);
  return 0;
}
