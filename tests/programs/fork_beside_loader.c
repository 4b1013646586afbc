/* Forks and starts programs while other threads allocate and one opens and closes libraries: no
   child may wait for a lock that a thread of its parent holds. Arguments: the program, how many. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop;

static void* allocate(void* unused) {
  while (!stop) free(malloc(100));
  return NULL;
}

static void* load(void* unused) {
  while (!stop) {
    void* library = dlopen("libm.so.6", RTLD_NOW);
    if (library != NULL) dlclose(library);
  }
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t threads[3];
  pthread_create(&threads[0], NULL, allocate, NULL);
  pthread_create(&threads[1], NULL, allocate, NULL);
  pthread_create(&threads[2], NULL, load, NULL);
  int failed = 0;
  for (int i = 0; i < atoi(argv[2]); i++) {
    pid_t child = i % 3 ? fork() : vfork();
    if (child == 0) {
      /* In a copy of our memory; what the child of vfork allocated would be ours. */
      if (i % 3) {
        for (int k = 0; k < 1000; k++) free(malloc(10));
        if (i % 3 == 2) _exit(0);
      }
      execl(argv[1], "child", "77", NULL);
      _exit(3);
    }
    int status;
    waitpid(child, &status, 0);
    failed += status != 0;
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  return failed != 0;
}
