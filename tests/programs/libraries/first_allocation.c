// A library whose constructor makes the process's first allocation from inside some function of
// libc, which one FIRST_ALLOCATION says: most hold a lock of libc's or the loader's while they call
// malloc, or are called by somebody who does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <iconv.h>
#include <libintl.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char* first_allocation_in;

static void* kept;
static void nothing(void) {}
static void allocate(void) { kept = malloc(100); }
static void on_signal(int signal) { allocate(); }
static void* in_thread(void* unused) {
  allocate();
  return unused;
}
static int in_callback(struct dl_phdr_info* info, size_t bytes, void* unused) {
  if (kept == NULL) allocate();
  return 0;
}

static int is(const char* name) { return strcmp(first_allocation_in, name) == 0; }

__attribute__((constructor)) static void start(void) {
  first_allocation_in = getenv("FIRST_ALLOCATION");
  if (first_allocation_in == NULL) first_allocation_in = "malloc";
  if (is("malloc")) allocate();
  if (is("newlocale")) kept = newlocale(LC_ALL_MASK, "POSIX", (locale_t)0);
  if (is("setlocale")) setlocale(LC_ALL, "C.UTF-8");
  if (is("bindtextdomain")) bindtextdomain("first-allocation", "/nowhere");
  if (is("textdomain")) textdomain("first-allocation");
  if (is("dlopen")) dlopen("libfirst-allocation-nowhere.so", RTLD_NOW);
  if (is("dlsym")) kept = dlsym(RTLD_DEFAULT, "first_allocation_nowhere");
  if (is("dl_iterate_phdr")) dl_iterate_phdr(in_callback, NULL);
  if (is("tzset")) {
    setenv("TZ", "Europe/Zurich", 1);
    tzset();
  }
  if (is("setenv")) setenv("FIRST_ALLOCATION_MADE", "yes", 1);
  if (is("printf")) printf("from the constructor\n");
  if (is("atexit")) {
    for (int i = 0; i < 100; ++i) atexit(nothing);
  }
  if (is("pthread_atfork")) {
    for (int i = 0; i < 100; ++i) pthread_atfork(nothing, nothing, nothing);
  }
  if (is("pthread_once")) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, allocate);
  }
  if (is("pthread_create")) {
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
  }
  if (is("getpwnam")) getpwnam("root");
  if (is("iconv_open")) iconv_open("UTF-16", "LATIN1");
  if (is("signal")) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
  }
  if (is("fork") && fork() == 0) {
    allocate();
    _exit(0);
  }
  if (is("free")) free(NULL);
  if (is("realloc")) kept = realloc(NULL, 100);
  if (is("posix_memalign")) posix_memalign(&kept, 64, 100);
}
