/* Reallocations that fail leave the block alive; those to nothing free it. */
#include <errno.h>
#include <stdlib.h>

#include "ledger.h"

int main(void) {
  struct ledger ledger = {0};
  char* block = malloc(1000);
  ledger_allocated(&ledger, 1000);
  errno = 0;
  if (realloc(block, (size_t)1 << 60) != NULL || errno != ENOMEM) return 1;
  errno = 0;
  if (reallocarray(block, (size_t)1 << 40, (size_t)1 << 40) != NULL || errno != ENOMEM) return 2;
  if (malloc((size_t)1 << 60) != NULL || calloc((size_t)1 << 40, (size_t)1 << 40) != NULL) return 3;
  void* untouched = &ledger;
  if (posix_memalign(&untouched, 3, 100) != EINVAL || untouched != &ledger) return 4;
  block[999] = 1;

  void* gone = malloc(77);
  ledger_allocated(&ledger, 77);
  if (realloc(gone, 0) != NULL) return 5; /* glibc: frees, and returns nothing */
  ledger_freed(&ledger, 77);

  free(NULL);
  errno = 4711;
  void* kept = malloc(5);
  free(kept);
  ledger_allocated(&ledger, 5);
  ledger_freed(&ledger, 5);
  if (errno != 4711) return 6;
  ledger_print(&ledger);
  return 0;
}
