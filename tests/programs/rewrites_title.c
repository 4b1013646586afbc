// Writes over its arguments, as servers do for a title, and then forks.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char** arguments) {
  char* end = arguments[count - 1] + strlen(arguments[count - 1]);
  memset(arguments[0], 0, (size_t)(end - arguments[0]));
  strcpy(arguments[0], "ti");
  if (fork() == 0) {
    malloc(2000);
    _exit(0);
  }
  return wait(NULL) < 0;
}
