// Pools of the program's own, reported by memlens.h: pools WHAT, one line of JSON a pool on stdout,
// with what memlens has to say of it.
#define _GNU_SOURCE
#include <memlens.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- a pool of blocks of any size in slots of 64 bytes, with a ledger

#define SLOTS 4096
struct pool {
  memlens_pool memlens;
  char* slab;
  int next;
  size_t sizes[SLOTS];  // 0: free
  size_t allocations, allocated_bytes, leaked_bytes, leaked_blocks;
};

static struct pool first = {.memlens = MEMLENS_POOL("first")};
static struct pool second = {.memlens = MEMLENS_POOL("second")};

static char* slot_address(struct pool* pool, int slot) { return pool->slab + slot * 64; }

static void make_slab(struct pool* pool) {
  if (pool->slab == NULL) MEMLENS_SLAB(pool->slab = malloc(SLOTS * 64));
}

static int pool_alloc(struct pool* pool, size_t bytes) {
  make_slab(pool);
  while (pool->sizes[pool->next] != 0) pool->next = (pool->next + 1) % SLOTS;
  const int slot = pool->next;
  pool->sizes[slot] = bytes;
  memlens_pool_alloc(&pool->memlens, slot_address(pool, slot), bytes);
  ++pool->allocations;
  pool->allocated_bytes += bytes;
  pool->leaked_bytes += bytes;
  ++pool->leaked_blocks;
  return slot;
}

static void pool_free(struct pool* pool, int slot) {
  memlens_pool_free(&pool->memlens, slot_address(pool, slot));
  pool->leaked_bytes -= pool->sizes[slot];
  --pool->leaked_blocks;
  pool->sizes[slot] = 0;
}

static void pool_resize(struct pool* pool, int slot, size_t bytes) {
  memlens_pool_resize(&pool->memlens, slot_address(pool, slot), slot_address(pool, slot), bytes);
  pool->leaked_bytes += bytes - pool->sizes[slot];
  pool->sizes[slot] = bytes;
  ++pool->allocations;
  pool->allocated_bytes += bytes;
}

static void pool_reset(struct pool* pool) {
  memlens_pool_reset(&pool->memlens);
  memset(pool->sizes, 0, sizeof pool->sizes);
  pool->leaked_bytes = pool->leaked_blocks = 0;
  pool->next = 0;
}

static void tell(const struct pool* pool, const char* name) {
  printf(
      "{\"name\": \"pool %s\", \"allocations\": %zu, \"allocated_bytes\": %zu, \"leaked_bytes\": "
      "%zu, "
      "\"leaked_blocks\": %zu}\n",
      name, pool->allocations, pool->allocated_bytes, pool->leaked_bytes, pool->leaked_blocks);
  fflush(stdout);
}

static void churn(struct pool* pool, int rounds) {
  unsigned seed = 1;
  for (int i = 0; i < rounds; ++i) {
    seed = seed * 1103515245 + 12345;
    const int slot = (int)(seed >> 8) % SLOTS;
    if (i % 701 == 700) {
      pool_reset(pool);
    } else if (pool->sizes[slot] != 0) {
      if (seed >> 28 < 12)
        pool_free(pool, slot);
      else
        pool_resize(pool, slot, 1 + (seed >> 16) % 64);
    } else {
      pool_alloc(pool, 1 + (seed >> 16) % 64);
    }
  }
}

// ---- what the tests ask for

static void churn_two(void) {
  churn(&first, 20000);
  churn(&second, 5000);
  tell(&first, "first");
  tell(&second, "second");
}

// A pool in a block of a pool: three blocks at one address, one of them malloc's.
static void nest(void) {
  static memlens_pool outer = MEMLENS_POOL("outer"), inner = MEMLENS_POOL("inner");
  char* slab = malloc(1000);
  memlens_pool_alloc(&outer, slab, 900);
  for (int i = 0; i < 8; ++i) memlens_pool_alloc(&inner, slab + i * 100, 100);
  memlens_pool_reset(&inner);
  memlens_pool_alloc(&inner, slab, 77);
  printf(
      "{\"name\": \"pool outer\", \"allocations\": 1, \"allocated_bytes\": 900, \"leaked_bytes\": "
      "900}\n"
      "{\"name\": \"pool inner\", \"allocations\": 9, \"allocated_bytes\": 877, \"leaked_bytes\": "
      "77}\n");
}

static void be_hostile(void) {
  static struct pool never = {.memlens = MEMLENS_POOL("never used")};
  int here;
  make_slab(&first);
  char* block = first.slab;
  memlens_pool_free(&first.memlens, block);  // of a pool that has nothing
  memlens_pool_alloc(&first.memlens, block, 10);
  memlens_pool_alloc(&first.memlens, block, 20);  // the same address again
  memlens_pool_free(&first.memlens, block);
  memlens_pool_free(&first.memlens, block);  // twice
  memlens_pool_free(&first.memlens, &here);  // another's
  memlens_pool_free(&first.memlens, NULL);
  memlens_pool_alloc(&first.memlens, NULL, 5);
  memlens_pool_resize(&first.memlens, NULL, block + 64, 7);
  memlens_pool_resize(&first.memlens, block + 64, NULL, 0);
  memlens_pool_alloc(&first.memlens, block + 3, 30);  // of odd address
  memlens_pool_alloc(&first.memlens, (void*)-1l, 0);  // impossible: not recorded
  memlens_pool_alloc(&first.memlens, (void*)-64l, 100);
  memlens_pool_alloc(&first.memlens, block + 128, SIZE_MAX);
  memlens_pool_alloc(NULL, block, 1);
  memlens_pool_reset(&never.memlens);
  memlens_pool_reset(&never.memlens);
  first.allocations = 4;
  first.allocated_bytes = 10 + 20 + 7 + 30;
  first.leaked_bytes = 30;
  first.leaked_blocks = 1;
  tell(&first, "first");
  memlens_pool empty;
  memlens_pool_init(&empty, "");
  memlens_pool_alloc(&empty, &here, 1);
  memlens_pool_reset(&empty);
  for (int i = 0; i < 100; ++i) {  // never made, and with any content
    static memlens_pool made_of_anything;
    for (size_t j = 0; j < sizeof made_of_anything; ++j)
      ((unsigned char*)&made_of_anything)[j] = (unsigned char)(i * 31 + j * 17 + 128);
    memlens_pool_alloc(&made_of_anything, &here, 1);
    memlens_pool_reset(&made_of_anything);
  }
}

static void name_many(void) {
  static memlens_pool pools[200];
  char name[100];
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 200; ++i) {
      snprintf(name, sizeof name, "number %d%s", i,
               i == 3 ? " of a name that is longer than a pool's may be, by far" : "");
      if (round == 0) memlens_pool_init(&pools[i], name);
      memlens_pool_alloc(&pools[i], &pools[i], 1000 + i);
    }
  }
}

// Arenas by the thousand, of one name.
static void many_arenas(void) {
  size_t allocated = 0;
  for (int i = 0; i < 3000; ++i) {
    memlens_pool* pool;
    MEMLENS_SLAB(pool = malloc(sizeof *pool + 4096));
    memlens_pool_init(pool, "request");
    char* memory = (char*)(pool + 1);
    for (int j = 0; j < 20; ++j) memlens_pool_alloc(pool, memory + j * 100, 100);
    allocated += 2000;
    if (i % 1000 != 999) memlens_pool_reset(pool);
    MEMLENS_SLAB(free(pool));
  }
  printf(
      "{\"name\": \"pool request\", \"allocations\": 60000, \"allocated_bytes\": %zu, "
      "\"leaked_bytes\": 6000,"
      " \"leaked_blocks\": 60}\n",
      allocated);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void* churn_shared(void* argument) {
  unsigned seed = (unsigned)(uintptr_t)argument;
  for (int i = 0; i < 20000; ++i) {
    seed = seed * 1103515245 + 12345;
    const int slot = (int)(seed >> 8) % SLOTS;
    pthread_mutex_lock(&lock);
    if (i % 1501 == 1500) {
      pool_reset(&first);
    } else if (first.sizes[slot] != 0) {
      pool_free(&first, slot);
    } else {
      pool_alloc(&first, 1 + (seed >> 16) % 64);
    }
    pthread_mutex_unlock(&lock);
    free(malloc(100 + seed % 100));
  }
  return NULL;
}

static void share(int threads) {
  pthread_t ids[64];
  for (int i = 0; i < threads; ++i)
    pthread_create(&ids[i], NULL, churn_shared, (void*)(uintptr_t)(i + 1));
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  tell(&first, "first");
}

static void fork_between(void) {
  int inherited = pool_alloc(&first, 50);
  pool_alloc(&first, 14);
  const pid_t child = fork();
  if (child == 0) {
    pool_free(&first, inherited);  // the parent's: the child's own count is of nothing
    memset(&first.sizes, 0, sizeof first.sizes);
    first.allocations = first.allocated_bytes = first.leaked_bytes = first.leaked_blocks = 0;
    pool_alloc(&first, 3);
    pool_reset(&first);
    pool_alloc(&first, 9);
    tell(&first, "first");
    exit(0);
  }
  waitpid(child, NULL, 0);
  pool_free(&first, inherited);
  tell(&first, "first");
}

// Says what the other side says, and what was wrong.
static const char* or_none(const char* problem) { return problem != NULL ? problem : "none"; }

static void start_and_stop(const char* folder) {
  char path[4096];
  churn(&first, 1000);
  first.allocations = first.allocated_bytes = 0;
  pool_reset(&first);
  printf("stop: %s\n", or_none(memlens_stop()));
  for (int i = 1; i <= 2; ++i) {
    snprintf(path, sizeof path, "%s/part%d.mlens", folder, i);
    printf("start: %s\n", or_none(memlens_start(path, NULL)));
    printf("enabled: %d\n", memlens_enabled());
    printf("nested: %s\n", or_none(memlens_start("nested.mlens", NULL)));
    churn(&first, 3000 * i);
    const pid_t child = fork();
    if (child == 0) {
      // Not its own; nor its parent's to end.
      _exit(memlens_stop() != NULL && memlens_enabled() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf("child: %d\n", status);
    tell(&first, "first");
    printf("stop: %s\n", or_none(memlens_stop()));
    printf("enabled: %d\n", memlens_enabled());
    pool_reset(&first);
    first.allocations = first.allocated_bytes = 0;
  }
  printf("again: %s\n", or_none(memlens_start(path, NULL)));
  const char* const force[] = {"-f", "--sample", "1M", NULL};
  printf("forced: %s\n", or_none(memlens_start(path, force)));
  printf("stop: %s\n", or_none(memlens_stop()));
}

// Works while somebody attaches and detaches; ends when its input does.
static void be_attached_to(void) {
  char line[16];
  pool_alloc(&second, 64);  // from before
  printf("%d\n", (int)getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    pool_reset(&first);
    first.allocations = first.allocated_bytes = 0;
    free(malloc(1));  // a dormant program looks when it calls malloc
    churn(&first, 4000);
    tell(&first, "first");
  }
}

static memlens_pool handlers_pool = MEMLENS_POOL("handler's");
static char handlers_memory[64];
static sigjmp_buf back;
static volatile sig_atomic_t interrupted;

static void handle(int number) {
  (void)number;
  memlens_pool_alloc(&handlers_pool, handlers_memory, 8);
  memlens_pool_free(&handlers_pool, handlers_memory);
  interrupted = 1;
  if (back[0].__mask_was_saved) siglongjmp(back, 1);
}

static void be_interrupted(int jump) {
  struct sigaction action = {.sa_handler = handle};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 300}, {0, 300}};
  for (volatile int rounds = 0; rounds < 1000; ++rounds) {
    setitimer(ITIMER_REAL, &timer, NULL);
    interrupted = 0;
    if (jump ? sigsetjmp(back, 1) == 0 : 1) {
      while (!interrupted) {
        if (jump) {  // its own ledger would not survive the jump
          memlens_pool_alloc(&first.memlens, handlers_memory, 8);
          memlens_pool_free(&first.memlens, handlers_memory);
        } else {
          churn(&first, 10);
        }
      }
    }
  }
  signal(SIGALRM, SIG_IGN);
  memset(&back, 0, sizeof back);
  pool_reset(&first);
  pool_alloc(&second, 33);  // recorded as if nothing had been
  tell(&second, "second");
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "churn") == 0) churn_two();
  if (strcmp(what, "nest") == 0) nest();
  if (strcmp(what, "hostile") == 0) be_hostile();
  if (strcmp(what, "names") == 0) name_many();
  if (strcmp(what, "arenas") == 0) many_arenas();
  if (strcmp(what, "share") == 0) share(atoi(argv[2]));
  if (strcmp(what, "fork") == 0) fork_between();
  if (strcmp(what, "parts") == 0) start_and_stop(argv[2]);
  if (strcmp(what, "attached") == 0) be_attached_to();
  if (strcmp(what, "interrupted") == 0) be_interrupted(0);
  if (strcmp(what, "jump") == 0) be_interrupted(1);
  if (strcmp(what, "forever") == 0) {
    for (;;) churn(&first, 1000);
  }
  return 0;
}
