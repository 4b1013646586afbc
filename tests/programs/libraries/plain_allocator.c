/* A library that exports an allocator under libc's names. Opened with RTLD_DEEPBIND it calls its
   own, and keeps account of it; otherwise the program's. Blocks are never given to anybody again.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "../ledger.h"

static struct ledger ledger;
static char* next;
static char* end;

void* malloc(size_t bytes) {
  const size_t taken = (bytes + 16 + 15) & ~(size_t)15;
  if (next == NULL || next + taken > end) {
    const size_t chunk_bytes = 1 << 22;
    next = mmap(NULL, chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    end = next + chunk_bytes;
  }
  *(size_t*)next = bytes;
  void* block = next + 16;
  next += taken;
  ledger_allocated(&ledger, bytes);
  return block;
}

void free(void* block) {
  if (block != NULL) ledger_freed(&ledger, *(size_t*)((char*)block - 16));
}

int bundled_churn(int rounds) {
  for (int i = 0; i < rounds; i++) {
    void* block = malloc(16 + i % 100);
    if (i % 4 != 0) free(block);
  }
  return 0;
}

void bundled_print_ledger(void) { ledger_print(&ledger); }
