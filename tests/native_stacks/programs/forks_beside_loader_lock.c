/* Forks while other threads hold the lock of the loader's list most of the time. Each child
   allocates in functions not called before, directly and from inside libc, and must end; it is
   killed after ten seconds. Prints how many were. Argument: how many to fork. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int look(struct dl_phdr_info* info, size_t size, void* argument) {
  (void)info, (void)size, (void)argument;
  return 0;
}
static void* hold_lock(void* unused) {
  for (;;) dl_iterate_phdr(look, unused);
}

#define ALLOCATES(number)                                          \
  __attribute__((noinline)) static void* allocate_##number(void) { \
    void* block = malloc(5000 + number);                           \
    __asm__ volatile("" ::: "memory");                             \
    return block;                                                  \
  }
ALLOCATES(0)
ALLOCATES(1)
ALLOCATES(2)
ALLOCATES(3)
static void* (*const functions[])(void) = {allocate_0, allocate_1, allocate_2, allocate_3};

static int compare(const void* a, const void* b) {
  void* volatile block = malloc(6000);
  free(block);
  return *(const int*)a - *(const int*)b;
}

int main(int argc, char** argv) {
  int killed = 0;
  const int count = argc > 1 ? atoi(argv[1]) : 100;
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, hold_lock, NULL);
  for (int i = 0; i < count && killed < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(10);
      for (int k = 0; k < 4; ++k) free(functions[k]());
      int values[] = {3, 1, 2};
      qsort(values, 3, sizeof *values, compare);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    killed += WIFSIGNALED(status);
  }
  printf("%d\n", killed);
  return killed != 0;
}
