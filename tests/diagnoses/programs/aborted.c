// expect: killed
#include <stdlib.h>
int main(void) {
  char* volatile block = malloc(1000000);
  block[0] = 1;
  abort();
}
