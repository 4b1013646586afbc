/* What of the mmap family is heap and what is not, one rule a step, with a ledger of the ranges. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ledger.h"

enum { kPage = 4096, kPrivate = MAP_PRIVATE | MAP_ANONYMOUS };
static struct ledger ledger;

static char* map(size_t bytes) {
  char* range = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kPrivate, -1, 0);
  if (range == MAP_FAILED) _exit(1);
  ledger_allocated(&ledger, bytes);
  return range;
}

static void check(int good, int step) {
  if (!good) _exit(step);
}

int main(int argc, char** argv) {
  int file = open(argv[0], O_RDONLY);

  /* Counted with the bytes asked for, given back by whole pages. */
  char* odd = map(5000);
  check(munmap(odd, 4097) == 0, 10);
  ledger_freed(&ledger, 5000);

  /* Not heap: files, shared memory, reservations. */
  char* of_file = mmap(NULL, 8 * kPage, PROT_READ, MAP_PRIVATE, file, 0);
  char* shared = mmap(NULL, 8 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* reserved = mmap(NULL, 64 * kPage, PROT_NONE, kPrivate, -1, 0);
  check(of_file != MAP_FAILED && shared != MAP_FAILED && reserved != MAP_FAILED, 11);

  /* A part of a reservation is mapped over: that is heap, and once only. */
  for (int i = 0; i < 2; i++) {
    check(
        mmap(reserved, 4 * kPage, PROT_READ | PROT_WRITE, kPrivate | MAP_FIXED, -1, 0) == reserved,
        12);
    if (i == 1) ledger_freed(&ledger, 4 * kPage);
    ledger_allocated(&ledger, 4 * kPage);
  }

  /* A file mapped over heap retires it. */
  char* replaced = map(2 * kPage);
  check(mmap(replaced, 2 * kPage, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == replaced, 13);
  ledger_freed(&ledger, 2 * kPage);

  /* Failures free nothing and map nothing. */
  char* kept = map(3 * kPage);
  errno = 0;
  check(munmap(kept + 1, kPage) == -1 && errno == EINVAL, 14);
  check(munmap(kept, 0) == -1 && errno == EINVAL, 15);
  check(mmap(kept, kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0) == kept, 16);
  /* (that replaced a page: the block's other two live on, and are told apart from it) */
  ledger.leaked_bytes -= kPage;
  ledger_allocated(&ledger, kPage);
  check(mmap(kept + 1, kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0) == MAP_FAILED, 17);
  check(mmap(NULL, 0, PROT_READ, kPrivate, -1, 0) == MAP_FAILED && errno == EINVAL, 18);
  check(mremap(kept, kPage, (size_t)1 << 60, MREMAP_MAYMOVE) == MAP_FAILED, 19);

  /* Grown, shrunk, moved: the old range goes, the new one comes. */
  char* moving = map(2 * kPage);
  moving = mremap(moving, 2 * kPage, 100 * kPage, MREMAP_MAYMOVE);
  check(moving != MAP_FAILED, 20);
  ledger_resized(&ledger, 2 * kPage, 100 * kPage);
  check(mremap(moving, 100 * kPage, 10 * kPage, 0) == moving, 21);
  ledger_resized(&ledger, 100 * kPage, 10 * kPage);
  char* target = map(10 * kPage);
  check(mremap(moving, 10 * kPage, 10 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target,
        22);
  ledger_freed(&ledger, 10 * kPage); /* the target */
  ledger_resized(&ledger, 10 * kPage, 10 * kPage);
  check(munmap(target, 10 * kPage) == 0, 23);
  ledger_freed(&ledger, 10 * kPage);

  /* A file that is moved does not become heap. */
  of_file = mremap(of_file, 8 * kPage, 16 * kPage, MREMAP_MAYMOVE);
  check(of_file != MAP_FAILED, 24);
  check(munmap(of_file, 16 * kPage) == 0, 25);

  /* Unmapping what was never heap, and unmapping twice, is harmless. */
  check(munmap(shared, 8 * kPage) == 0 && munmap(shared, 8 * kPage) == 0, 26);

  /* One munmap over several blocks, and one over the middle of a block. */
  char* several = map(6 * kPage);
  check(mmap(several + 2 * kPage, 2 * kPage, PROT_NONE, kPrivate | MAP_FIXED, -1, 0) != MAP_FAILED,
        27);
  ledger.leaked_bytes -= 2 * kPage; /* one block, in two pieces now */

  ledger_print(&ledger);
  return 0;
}
