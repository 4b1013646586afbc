// Threads that allocate, and a main thread that starts children all the time, which allocate,
// check, open a library, and become other programs. A child that hangs or ends otherwise than it
// should is exit 1.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static void* work(void* number) {
  unsigned seed = 77u * (unsigned)(size_t)number + 1;
  void* blocks[32] = {NULL};
  for (;;) {
    seed = seed * 1103515245u + 12345u;
    void** block = &blocks[seed >> 16 & 31];
    const size_t size = 1 + (seed >> 8 & 2047);
    free(*block);
    *block = malloc(size);
    memset(*block, (int)seed, size);
  }
  return NULL;
}

static void in_child(unsigned number) {
  alarm(60);
  for (int i = 0; i < 50; ++i) {
    char* block = malloc(100 + (size_t)i);
    memset(block, i, 100);
    free(block);
  }
  void* library = dlopen("libz.so.1", RTLD_NOW);
  if (library != NULL) dlclose(library);
  if (number % 5 == 4) execl("/bin/true", "true", (char*)NULL);
  _exit(number % 5 == 4 ? 1 : 0);
}

static pid_t spawn(void) {
  char* arguments[] = {"/bin/true", NULL};
  pid_t child = -1;
  return posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0 ? child : -1;
}

int main(void) {
  for (size_t i = 0; i < 3; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, (void*)i);
  }
  puts("ready");
  fflush(stdout);
  for (unsigned number = 0;; ++number) {
    const pid_t child = number % 7 == 6 ? spawn() : fork();
    if (child == 0) in_child(number);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
      fprintf(stderr, "forks: child %u ended with %#x\n", number, (unsigned)status);
      return 1;
    }
  }
}
