// A variable of its own has the name of a function of jemalloc's.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int (*mallctl)(const char*, void*, size_t*, void*, size_t) = NULL;

int main(void) {
  for (int i = 0; i < 50; i++) {
    memset(malloc(1000000), 1, 1000000);
    usleep(5000);
  }
  return mallctl != NULL;
}
