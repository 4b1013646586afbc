/* embeds_python LIBPYTHON ROUNDS SCRIPT: opens the interpreter for itself alone, and runs the
   script in it ROUNDS times, with the interpreter started and shut down each time. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  void (*initialize)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
  int (*run)(const char*) = (int (*)(const char*))dlsym(library, "PyRun_SimpleString");
  int (*finalize)(void) = (int (*)(void))dlsym(library, "Py_FinalizeEx");
  for (int round = 0; round < atoi(argv[2]); ++round) {
    initialize(0);
    if (run(argv[3]) != 0) return 4;
    if (finalize() != 0) return 5;
  }
  return 0;
}
