// expect: rss_gap
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
  char* shared = mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(shared, 1, 100 << 20);
  usleep(200000);
  char* block = malloc(1 << 20);
  memset(block, 1, 1 << 20);
  usleep(200000);
  free(block);
  return 0;
}
