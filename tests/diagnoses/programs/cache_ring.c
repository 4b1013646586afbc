// expect: cache put
#include <stdlib.h>
#include <unistd.h>
static char* ring[100];
__attribute__((noinline)) void put(int i) {
  free(ring[i % 100]);
  ring[i % 100] = malloc(20000);
}
int main(void) {
  for (int i = 0; i < 400; i++) {
    put(i);
    usleep(3000);
  }
  for (int i = 0; i < 100; i++) free(ring[i]);
  return 0;
}
