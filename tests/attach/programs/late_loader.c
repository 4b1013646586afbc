// Preloaded in place of memlens: a thread of its own brings MEMLENS_LATE_LIBRARY into the running
// program by dlopen, as an injector or an extension module does, and then lets it look at its gate
// every millisecond. Forked children get such a thread, too. With MEMLENS_LATE_WAIT the program's
// own start waits until it is recorded, so that all it does itself is.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[4096];
static int (*wake)(void);

static void load(void) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library != NULL) *(void**)&wake = dlsym(library, "memlens_wake");
  if (wake != NULL) return;
  static const char kText[] = "late_loader: cannot load the library\n";
  if (write(2, kText, sizeof kText - 1) < 0) _exit(1);
  _exit(2);
}

static void* look(void* unused) {
  (void)unused;
  if (wake == NULL) {
    usleep(50 * 1000);  // well after the program's start
    load();
  }
  for (;;) {
    wake();
    usleep(1000);
  }
}

static void start(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, look, NULL) == 0) pthread_detach(thread);
}

__attribute__((constructor)) static void begin(void) {
  const char* library = getenv("MEMLENS_LATE_LIBRARY");
  if (library == NULL || strlen(library) >= sizeof path) return;
  strcpy(path, library);
  unsetenv("LD_PRELOAD");
  unsetenv("MEMLENS_LATE_LIBRARY");
  if (getenv("MEMLENS_LATE_WAIT") != NULL) {
    unsetenv("MEMLENS_LATE_WAIT");
    load();
    while (wake() == 0) usleep(1000);
    return;
  }
  pthread_atfork(NULL, NULL, start);
  start();
}
