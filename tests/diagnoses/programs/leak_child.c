// expect: leak keep
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) void keep(void) {
  char* volatile block = malloc(20000);
  memset(block, 1, 20000);
}
// It ends with what it has; who started it ends just then.
int main(void) {
  if (fork() == 0) {
    for (int i = 0; i < 300; i++) {
      keep();
      usleep(5000);
    }
    _exit(0);
  }
  wait(NULL);
  return 0;
}
