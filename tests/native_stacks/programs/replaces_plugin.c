/* replaces_plugin LIBRARY...: opens, calls and closes each in turn, twice. Prints where entry was.
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 1; i < argc; ++i) {
      void* library = dlopen(argv[i], RTLD_NOW);
      if (library == NULL) return 1;
      void* (*entry)(void) = (void* (*)(void))dlsym(library, "entry");
      printf("%p\n", (void*)entry);
      entry();
      dlclose(library);
    }
  }
  return 0;
}
