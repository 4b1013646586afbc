// Goes on where its library (libraries/first_allocation.c) left off: calls whatever takes a lock
// that the process's first allocation may have been made under. Prints the same with and without a
// recorder, and nothing may be left in dlerror() that the program did not cause.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <iconv.h>
#include <libintl.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const char* first_allocation_in;

static void* in_thread(void* value) { return value; }
static void at_exit(void) { puts("exit"); }
static void before_fork(void) { write(1, "fork\n", 5); }

int main(void) {
  const char* error = dlerror();
  printf("in %s, dlerror %s\n", first_allocation_in, error == NULL ? "is clear" : error);
  printf("locale %s\n", setlocale(LC_ALL, ""));
  locale_t made = newlocale(LC_CTYPE_MASK, "POSIX", (locale_t)0);
  printf("newlocale %d\n", made != (locale_t)0);
  freelocale(made);
  printf("gettext %s, %s\n", bindtextdomain("other", "/nowhere"), dgettext("other", "text"));
  printf("strerror %s\n", strerror(2));
  dlopen("libnowhere.so", RTLD_NOW);
  printf("dlerror %s\n", dlerror());
  time_t zero = 0;
  printf("hour %d\n", localtime(&zero)->tm_hour);
  setenv("OTHER", "value", 1);
  printf("getenv %s\n", getenv("OTHER"));
  printf("user %u\n", getpwnam("root") == NULL ? 1 : getpwnam("root")->pw_uid);
  iconv_t converter = iconv_open("UTF-8", "UTF-16");
  printf("iconv %d\n", converter != (iconv_t)-1);
  atexit(at_exit);
  pthread_atfork(before_fork, NULL, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, NULL);
  pthread_join(thread, NULL);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    free(malloc(10));
    _exit(7);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  printf("child %d\n", WEXITSTATUS(status));
  while (wait(NULL) > 0) {
  }
  return 0;
}
