/* Opens libraries/bundled_allocator.c, lets it allocate, and prints its account. Arguments: the
   library, what to do, dlopen's further flags by name. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRounds = 5000, kThreads = 4 };

static void* handle;

static void* function(const char* name) {
  void* found = dlsym(handle, name);
  if (found == NULL) exit(2);
  return found;
}

static void churn(void) { ((int (*)(int))function("bundled_churn"))(kRounds); }
static void print_ledger(void) { ((void (*)(void))function("bundled_print_ledger"))(); }

static void* thread(void* argument) {
  churn();
  return argument;
}

/* The library's functions, asked for by name. */
static void call_by_name(void) {
  void* (*allocate)(size_t) = (void* (*)(size_t))function("bundled_mi_malloc");
  void* (*resize)(void*, size_t) = (void* (*)(void*, size_t))function("bundled_mi_realloc");
  void (*release)(void*) = (void (*)(void*))function("bundled_mi_free");
  for (int i = 0; i < kRounds; i++) {
    void* block = resize(allocate(10 + i), 20 + i);
    if (i % 4 != 0) release(block);
  }
}

int main(int argc, char** argv) {
  int flags = RTLD_NOW;
  for (int i = 3; i < argc; i++) {
    if (strcmp(argv[i], "lazy") == 0) flags = RTLD_LAZY;
    if (strcmp(argv[i], "global") == 0) flags |= RTLD_GLOBAL;
    if (strcmp(argv[i], "deepbind") == 0) flags |= RTLD_DEEPBIND;
  }
  const char* what = argv[2];
  for (int i = 0; i < (strcmp(what, "reload") == 0 ? 3 : 1); i++) {
    if (handle != NULL && dlclose(handle) != 0) return 3;
    handle = dlopen(argv[1], flags);
    if (handle == NULL) return 1;
    if (strcmp(what, "by_name") == 0) {
      call_by_name();
    } else if (strcmp(what, "beside") == 0) {
      churn();
      ((void (*)(size_t))function("bundled_map_beside"))(3 << 20);
    } else if (strcmp(what, "threads") == 0) {
      pthread_t threads[kThreads];
      for (int j = 0; j < kThreads; j++) pthread_create(&threads[j], NULL, thread, NULL);
      for (int j = 0; j < kThreads; j++) pthread_join(threads[j], NULL);
    } else if (strcmp(what, "fork") == 0) {
      const pid_t child = fork();
      churn();
      print_ledger();
      if (child == 0) _exit(0);
      int status = 0;
      waitpid(child, &status, 0);
      return status;
    } else {
      churn();
    }
    print_ledger();
  }
  return 0;
}
