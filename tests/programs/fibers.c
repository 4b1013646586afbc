// Fibers whose stacks lie above and below each other, each of which allocates between switches: 2
// fibers of 100 blocks of 1000 bytes each, none freed.
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES (1 << 18)
#define ROUNDS 100

static ucontext_t home, fibers[2];
void* volatile kept[2][ROUNDS];

__attribute__((noinline)) static void allocate(int number, int round) {
  kept[number][round] = malloc(1000);
}

static void run(int number) {
  for (int round = 0; round < ROUNDS; ++round) {
    allocate(number, round);
    swapcontext(&fibers[number], &fibers[1 - number]);
  }
}

int main(void) {
  char* stacks =
      mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int number = 0; number < 2; ++number) {
    getcontext(&fibers[number]);
    fibers[number].uc_stack.ss_sp = stacks + number * STACK_BYTES;
    fibers[number].uc_stack.ss_size = STACK_BYTES;
    fibers[number].uc_link = &home;
    makecontext(&fibers[number], (void (*)(void))run, 1, number);
  }
  swapcontext(&home, &fibers[0]);
  return 0;
}
