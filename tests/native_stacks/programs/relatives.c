/* relatives LIBRARY...: forks a child for each, twice, one after the other. A child allocates 3333
 * bytes in a function that its parent never calls, then opens its library and calls it. Prints
 * where the library's entry was.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void* volatile kept;

__attribute__((noinline)) void only_in_children(int depth) {
  volatile char room[300];
  room[0] = 0;
  if (depth > 0) {
    only_in_children(depth - 1);
  } else {
    kept = malloc(3333);
  }
  room[1] = 0;
}

__attribute__((noinline)) int child(const char* path) {
  only_in_children(3);
  void* library = dlopen(path, RTLD_NOW);
  if (library == NULL) return 1;
  void* (*entry)(void) = (void* (*)(void))dlsym(library, "entry");
  dprintf(1, "%s %p\n", path, (void*)entry);
  return entry() == NULL;
}

int main(int argc, char** argv) {
  kept = malloc(10);  // the first stack: what it takes to have one is there before the fork
  for (int round = 0; round < 8; ++round) {
    for (int i = 1; i < argc; ++i) {
      int status = 0;
      if (fork() == 0) exit(child(argv[i]));
      if (wait(&status) < 0 || status != 0) return 1;
    }
  }
  return 0;
}
