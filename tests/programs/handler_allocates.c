// A thread that allocates all the time, and a timer's handler that maps memory, on an alternate
// signal stack that lies above or below the thread's ("above", "below"), or on the thread's own
// ("own"). Prints how many maps and unmaps the handler made in all.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#define STACK_BYTES (1 << 20)
#define MAP_BYTES 12288
#define HANDLED 400

static char* alternate;
static atomic_ulong handled;

static void on_timer(int signal) {
  if (handled == HANDLED) return;
  void* mapped = mmap(NULL, MAP_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(mapped, MAP_BYTES);
  ++handled;
}

static void* descend(unsigned path, int depth) {
  if (depth == 0) return malloc(20);
  void* block = (path & 1) != 0 ? descend(path >> 1, depth - 1) : descend(path >> 1, depth - 1);
  __asm__ volatile("");
  return block;
}

static void* work(void* unused) {
  if (alternate != NULL) {
    stack_t stack = {.ss_sp = alternate, .ss_size = STACK_BYTES};
    sigaltstack(&stack, NULL);
  }
  sigset_t timer;
  sigemptyset(&timer);
  sigaddset(&timer, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &timer, NULL);
  unsigned path = 1;
  while (handled < HANDLED) {
    path = path * 1103515245 + 12345;
    free(descend(path >> 8, 16));
  }
  pthread_sigmask(SIG_BLOCK, &timer, NULL);
  return unused;
}

int main(int argc, char** argv) {
  const char* where = argc > 1 ? argv[1] : "above";
  // Two stacks with a page between, in one mapping: the order is known.
  char* mapped = mmap(NULL, 2 * STACK_BYTES + 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(mapped + STACK_BYTES, 4096, PROT_NONE);
  char* const low = mapped;
  char* const high = mapped + STACK_BYTES + 4096;
  char* own = high;
  if (strcmp(where, "above") == 0) {
    own = low;
    alternate = high;
  } else if (strcmp(where, "below") == 0) {
    alternate = low;
  }
  struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_ONSTACK | SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  sigset_t timer;
  sigemptyset(&timer);
  sigaddset(&timer, SIGALRM);
  sigprocmask(SIG_BLOCK, &timer, NULL);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, own, STACK_BYTES);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, work, NULL) != 0) return 1;
  struct itimerval interval = {{0, 300}, {0, 300}};
  setitimer(ITIMER_REAL, &interval, NULL);
  pthread_join(thread, NULL);
  interval = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &interval, NULL);
  printf("%lu\n", 2 * handled);
  return 0;
}
