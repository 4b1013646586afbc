/* Eight threads free each other's blocks: each takes whatever stands in a shared slot and leaves
   one of its own. Every block is freed in the end. Arguments: seed, exchanges a thread. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ledger.h"

enum { kThreads = 8, kSlots = 64 };
static _Atomic(size_t*) slots[kSlots];
static struct ledger ledgers[kThreads];
static uint64_t seed = 1;
static long exchanges = 20000;

/* All threads live at the same time, so that libc's own accounts of them are always the same. */
static pthread_barrier_t all_there;

static void* exchange(void* argument) {
  pthread_barrier_wait(&all_there);
  long thread = (long)argument;
  struct ledger* ledger = &ledgers[thread];
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + (uint64_t)thread + 1;
  for (long i = 0; i < exchanges; i++) {
    /* Few sizes: the addresses go round between the threads. */
    size_t bytes = 16u << next_random(&state) % 4;
    size_t* block = malloc(bytes);
    *block = bytes;
    ledger_allocated(ledger, bytes);
    size_t* other = atomic_exchange(&slots[next_random(&state) % kSlots], block);
    if (other != NULL) {
      ledger_freed(ledger, *other);
      free(other);
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc > 1) seed = strtoul(argv[1], NULL, 10);
  if (argc > 2) exchanges = atol(argv[2]);
  pthread_t threads[kThreads];
  pthread_attr_t small_stack; /* all of them fit into libc's cache of stacks */
  pthread_attr_init(&small_stack);
  pthread_attr_setstacksize(&small_stack, 256 * 1024);
  pthread_barrier_init(&all_there, NULL, kThreads);
  for (long i = 0; i < kThreads; i++) pthread_create(&threads[i], &small_stack, exchange, (void*)i);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  struct ledger sum = {0};
  for (int i = 0; i < kThreads; i++) {
    sum.allocations += ledgers[i].allocations;
    sum.frees += ledgers[i].frees;
    sum.allocated_bytes += ledgers[i].allocated_bytes;
    sum.leaked_bytes += ledgers[i].leaked_bytes;
    sum.leaked_blocks += ledgers[i].leaked_blocks;
  }
  for (int i = 0; i < kSlots; i++) {
    size_t* left = slots[i];
    if (left == NULL) continue;
    sum.frees++;
    sum.leaked_bytes -= *left;
    sum.leaked_blocks--;
    free(left);
  }
  ledger_print(&sum);
  return 0;
}
