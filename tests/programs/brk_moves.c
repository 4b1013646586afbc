/* The program break, moved by bytes. Nothing else here allocates. */
#define _GNU_SOURCE
#include <unistd.h>

#include "ledger.h"

int main(void) {
  struct ledger ledger = {0};
  char* start = sbrk(0);
  if (sbrk(1000) != start) return 1;
  ledger_allocated(&ledger, 1000);
  if (sbrk(234) != start + 1000) return 2;
  ledger_allocated(&ledger, 234);
  start[1233] = 1;
  if (sbrk(-234) != start + 1234) return 3;
  ledger_freed(&ledger, 234);
  if (brk(start + 1000 + 50000) != 0) return 4;
  ledger_allocated(&ledger, 50000);
  if (brk(start + 1000) != 0) return 5;
  ledger_freed(&ledger, 50000);
  if (sbrk((intptr_t)1 << 60) != (void*)-1) return 6;
  if (brk((void*)((uintptr_t)1 << 60)) != -1) return 7;
  if (sbrk(0) != start + 1000) return 8;
  ledger_print(&ledger);
  return 0;
}
