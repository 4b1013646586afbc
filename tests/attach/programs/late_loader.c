// Preloaded in place of memlens: its constructor brings MEMLENS_LATE_LIBRARY into the program by
// dlopen, and holds the program up until it is recorded, so that all the program does itself is.
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("MEMLENS_LATE_LIBRARY");
  if (path == NULL) return;
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  int (*wake)(void) = NULL;
  if (library != NULL) *(void**)&wake = dlsym(library, "memlens_wake");
  if (wake == NULL) {
    static const char kText[] = "late_loader: cannot load the library\n";
    if (write(2, kText, sizeof kText - 1) < 0) _exit(1);
    _exit(2);
  }
  unsetenv("LD_PRELOAD");
  unsetenv("MEMLENS_LATE_LIBRARY");
  while (wake() == 0) usleep(1000);
}
