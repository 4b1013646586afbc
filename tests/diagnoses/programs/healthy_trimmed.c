// expect: healthy
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
  static char* blocks[100000];
  for (int i = 0; i < 100000; i++) memset(blocks[i] = malloc(1000), 1, 1000);
  char* last = malloc(5000);
  for (int i = 0; i < 100000; i++) free(blocks[i]);
  malloc_trim(0);
  for (int i = 0; i < 60; i++) {
    usleep(20000);
    free(malloc(100));
  }
  free(last);
  return 0;
}
