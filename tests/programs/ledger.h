/* What a test program keeps account of itself: what it asked for and gave back, by layer. At its
   end it prints one line of JSON with the names `memlens summary --json` uses. Nothing here
   allocates. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ledger {
  uint64_t allocations, frees, allocated_bytes, leaked_bytes, leaked_blocks, peak_bytes;
};

static inline void ledger_allocated(struct ledger* ledger, uint64_t bytes) {
  ledger->allocations++;
  ledger->allocated_bytes += bytes;
  ledger->leaked_blocks++;
  ledger->leaked_bytes += bytes;
  if (ledger->leaked_bytes > ledger->peak_bytes) ledger->peak_bytes = ledger->leaked_bytes;
}

static inline void ledger_freed(struct ledger* ledger, uint64_t bytes) {
  ledger->frees++;
  ledger->leaked_blocks--;
  ledger->leaked_bytes -= bytes;
}

/* A resize: what it frees is gone before the new block is there. */
static inline void ledger_resized(struct ledger* ledger, uint64_t old_bytes, uint64_t new_bytes) {
  ledger_freed(ledger, old_bytes);
  ledger_allocated(ledger, new_bytes);
}

static inline void ledger_print(const struct ledger* ledger) {
  char text[512];
  int length = snprintf(text, sizeof text,
                        "{\"allocations\": %lu, \"frees\": %lu, \"allocated_bytes\": %lu, "
                        "\"leaked_bytes\": %lu, \"leaked_blocks\": %lu, \"peak_bytes\": %lu}\n",
                        ledger->allocations, ledger->frees, ledger->allocated_bytes,
                        ledger->leaked_bytes, ledger->leaked_blocks, ledger->peak_bytes);
  if (write(1, text, length) != length) _exit(99);
}

/* A small generator of its own, so that every machine makes the same calls. */
static inline uint32_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(*state >> 16);
}
