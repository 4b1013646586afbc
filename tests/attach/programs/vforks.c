// A parent that cannot be stopped, since its child of vfork takes three seconds to start a program;
// then it allocates 1000-byte blocks until stdin ends. "ready <child>", then "went on".
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char* text) {
  if (write(1, text, strlen(text)) < 0) _exit(2);
}

int main(void) {
  const pid_t child = vfork();
  if (child == 0) {
    static char line[64];
    snprintf(line, sizeof line, "ready %d\n", (int)getpid());
    say(line);
    const struct timespec pause = {3, 0};
    nanosleep(&pause, NULL);
    execlp("true", "true", (char*)NULL);
    _exit(1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  say("went on\n");
  for (;;) {
    void* volatile block = malloc(1000);
    free(block);
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(0, &readable);
    struct timeval timeout = {0, 1000};
    if (select(1, &readable, NULL, NULL, &timeout) > 0) return 0;
  }
}
