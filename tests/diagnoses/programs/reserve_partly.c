// expect: reserve
#include <string.h>
#include <sys/mman.h>
int main(void) {
  for (int i = 0; i < 4; i++) {
    char* range = mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(range, 1, 8 << 20);
  }
  return 0;
}
