// expect: healthy
#include <stdlib.h>
#include <unistd.h>
int main(void) {
  char* buffers[20];
  for (int i = 0; i < 20; i++) buffers[i] = malloc(10000);
  for (int i = 0; i < 300; i++) {
    buffers[i % 20][i] = 1;
    usleep(3000);
  }
  for (int i = 0; i < 20; i++) free(buffers[i]);
  return 0;
}
