/* What a C or C++ program may say to the recording it is in.

   Header-only, and nothing to link with: the functions are looked up in the process when they are
   first called, and where memlens is not loaded they do nothing. In programs for glibc before 2.34,
   link with -ldl.

     memlens_mark("cache is warm");            a moment that reports and the page show by name
     memlens_range_begin("request 17");        what lies between the two is measured by itself:
     memlens_range_end("request 17");          memlens ranges app.mlens

   From any thread; not from a signal handler. A name has at most 1,024 bytes. */
#ifndef MEMLENS_H
#define MEMLENS_H

#ifndef _GNU_SOURCE
#error "memlens.h needs RTLD_DEFAULT: define _GNU_SOURCE before the first include (g++ does)"
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MEMLENS_LONGEST_NAME 1024

typedef void (*memlens_mark_function)(const char*);
typedef int (*memlens_enabled_function)(void);

/* Looked up until found, at most once a second: the library may be loaded later, for everybody
   (LD_PRELOAD) or for nobody but who asks for it by its name (memlens attach). Costs nothing that
   counts beside what is measured, but is no call for an inner loop. */
static inline void* memlens_find_(void** known, long* looked, const char* name) {
  void* found = __atomic_load_n(known, __ATOMIC_ACQUIRE);
  if (found == NULL) {
    struct timespec now;
    void* library;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (__atomic_exchange_n(looked, (long)now.tv_sec + 1, __ATOMIC_RELAXED) ==
        (long)now.tv_sec + 1) {
      return NULL;
    }
    found = dlsym(RTLD_DEFAULT, name);
    library = found != NULL ? NULL : dlopen("libmemlens.so", RTLD_LAZY | RTLD_NOLOAD);
    if (library != NULL) found = dlsym(library, name);
    __atomic_store_n(known, found, __ATOMIC_RELEASE);
  }
  return found;
}

/* memlens_enabled(): 1 when what this process allocates is being recorded now. */
#define memlens_enabled() memlens_enabled_()
static inline int memlens_enabled_(void) {
  static void* known;
  static long looked;
  memlens_enabled_function function;
  void* found = memlens_find_(&known, &looked, "memlens_enabled");
  if (found == NULL) return 0;
  memcpy(&function, &found, sizeof function);
  return function();
}

/* Names this moment: memlens_mark(name). */
#define memlens_mark(name) memlens_mark_(name)
static inline void memlens_mark_(const char* name) {
  static void* known;
  static long looked;
  memlens_mark_function function;
  void* found = memlens_find_(&known, &looked, "memlens_mark");
  if (found == NULL) return;
  memcpy(&function, &found, sizeof function);
  function(name);
}

static inline void memlens_range_begin(const char* name) { memlens_mark_(name); }

static inline void memlens_range_end(const char* name) {
  char mark[MEMLENS_LONGEST_NAME + 1];
  if (!memlens_enabled_()) return;
  snprintf(mark, sizeof mark, "%s (end)", name);
  memlens_mark_(mark);
}

#endif
