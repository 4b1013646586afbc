// expect: fragmentation
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char* blocks[100000];
int main(void) {
  for (int i = 0; i < 100000; i++) memset(blocks[i] = malloc(1500), 1, 1500);
  for (int i = 0; i < 100000; i++)
    if (i % 40) free(blocks[i]);
  usleep(1000000);
  for (int i = 0; i < 100000; i += 40) free(blocks[i]);
  return 0;
}
