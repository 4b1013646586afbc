// Signal handlers that jump out of the allocation functions they interrupted.
//
//   left_by_jump free: free faults, its handler jumps back to main, which then allocates 100
//   blocks. left_by_jump mmap: a timer's handler jumps out of mmap and munmap again and again, to
//   the same place; prints how many maps returned. Each is recorded, and at most one for each jump
//   beside.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile sig_atomic_t armed;
void* volatile kept[100];

static void on_fault(int signal) { siglongjmp(back, 1); }

static void on_timer(int signal) {
  if (!armed) return;
  armed = 0;
  siglongjmp(back, 1);
}

__attribute__((noinline)) void work(void) {
  for (int i = 0; i < 100; ++i) kept[i] = malloc(1000);
}

// Deeper than the hook that was left, with untouched room where that lay.
__attribute__((noinline)) void work_below(void) {
  char room[4096];
  __asm__ volatile("" ::"r"(room));
  work();
}

static void leave_free(void) {
  struct sigaction action = {.sa_handler = on_fault};
  sigaction(SIGSEGV, &action, NULL);
  if (sigsetjmp(back, 1) == 0) free((void*)0x1000);
  work_below();
}

static void leave_mmap(void) {
  struct sigaction action = {.sa_handler = on_timer};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &timer, NULL);
  volatile long maps = 0;
  volatile int jumps = 0;
  while (jumps < 200) {
    if (sigsetjmp(back, 1)) {
      ++jumps;
      continue;
    }
    armed = 1;
    for (;;) {
      void* mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      ++maps;
      munmap(mapped, 4096);
    }
  }
  timer = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &timer, NULL);
  printf("%ld\n", maps);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "mmap") == 0) {
    leave_mmap();
  } else {
    leave_free();
  }
  return 0;
}
