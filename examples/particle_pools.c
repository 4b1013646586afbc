// Two allocators of a program's own, as a game or a server has them: an arena that is emptied after
// each frame, and a pool of blocks of one size. Both report themselves, so that memlens shows them
// by name beside malloc, with the lines that ask them for memory:
//
//   gcc -g -I include examples/particle_pools.c -o particle_pools
//   memlens run -o pools.mlens ./particle_pools
//   memlens summary pools.mlens
//
// The last lines are the program's own ledger, to compare with.
#include <memlens.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// ---- the ledger

enum { kArena, kParticles, kPools };
struct ledger {
  size_t allocations, allocated_bytes, live_bytes, live_blocks, at_peak_bytes;
};
static struct ledger ledgers[kPools];
static size_t peak_bytes;

static void note_allocation(int pool, size_t bytes) {
  struct ledger* own = &ledgers[pool];
  ++own->allocations;
  own->allocated_bytes += bytes;
  own->live_bytes += bytes;
  ++own->live_blocks;
  const size_t live = ledgers[kArena].live_bytes + ledgers[kParticles].live_bytes;
  if (live <= peak_bytes) return;
  peak_bytes = live;
  for (int i = 0; i < kPools; ++i) ledgers[i].at_peak_bytes = ledgers[i].live_bytes;
}

static void note_free(int pool, size_t bytes) {
  ledgers[pool].live_bytes -= bytes;
  --ledgers[pool].live_blocks;
}

// ---- an arena: blocks of any size, freed all at once

#define ARENA_BYTES ((size_t)1 << 20)
struct arena {
  memlens_pool pool;
  char* slab;
  size_t used;
};

static struct arena frame_arena = {.pool = MEMLENS_POOL("frame arena")};

static void* arena_alloc(struct arena* arena, size_t bytes) {
  if (arena->slab == NULL) MEMLENS_SLAB(arena->slab = malloc(ARENA_BYTES));
  const size_t rounded = (bytes + 7) & ~(size_t)7;
  if (arena->slab == NULL || arena->used + rounded > ARENA_BYTES) abort();
  void* block = arena->slab + arena->used;
  arena->used += rounded;
  memlens_pool_alloc(&arena->pool, block, bytes);
  note_allocation(kArena, bytes);
  return block;
}

static void arena_reset(struct arena* arena) {
  memlens_pool_reset(&arena->pool);
  arena->used = 0;
  ledgers[kArena].live_bytes = ledgers[kArena].live_blocks = 0;
}

// ---- a pool of particles, each given back by itself

struct particle {
  struct particle* next;
  double position[3], velocity[3];
};
static memlens_pool particle_pool = MEMLENS_POOL("particles");
static struct particle* free_particles;

static void add_slab_of_particles(void) {
  const size_t count = 256;
  struct particle* slab = NULL;
  MEMLENS_SLAB(slab = calloc(count, sizeof *slab));
  if (slab == NULL) abort();
  for (size_t i = 0; i < count; ++i) {
    slab[i].next = free_particles;
    free_particles = &slab[i];
  }
}

static struct particle* particle_alloc(void) {
  if (free_particles == NULL) add_slab_of_particles();
  struct particle* particle = free_particles;
  free_particles = particle->next;
  memlens_pool_alloc(&particle_pool, particle, sizeof *particle);
  note_allocation(kParticles, sizeof *particle);
  return particle;
}

static void particle_free(struct particle* particle) {
  memlens_pool_free(&particle_pool, particle);
  note_free(kParticles, sizeof *particle);
  particle->next = free_particles;
  free_particles = particle;
}

// ---- the program

#define SPARKS 1000
static struct particle* sparks[SPARKS];

static void light_sparks(void) {
  for (int i = 0; i < SPARKS; ++i) sparks[i] = particle_alloc();
}

static void draw_frame(int frame) {
  for (int line = 0; line < 100; ++line) {
    char* text = arena_alloc(&frame_arena, 40 + (size_t)((frame + line) % 7) * 11);
    text[0] = '\0';
  }
}

int main(void) {
  light_sparks();
  for (int frame = 0; frame < 50; ++frame) {
    draw_frame(frame);
    if (frame < 49) arena_reset(&frame_arena);  // the last one is shown for good
    // Some go out, and fewer are lit again.
    const int lit = frame % 10 == 9;
    for (int i = frame; i < SPARKS; i += 50) {
      particle_free(sparks[i]);
      sparks[i] = lit ? particle_alloc() : NULL;
    }
  }
  const char* names[kPools] = {"frame arena", "particles"};
  for (int i = 0; i < kPools; ++i) {
    const struct ledger* own = &ledgers[i];
    printf("%s: %zu allocations of %zu bytes, %zu at the peak, %zu in %zu blocks still allocated\n",
           names[i], own->allocations, own->allocated_bytes, own->at_peak_bytes, own->live_bytes,
           own->live_blocks);
  }
  return 0;
}
