// expect: churn scratch
#include <stdlib.h>
__attribute__((noinline)) int scratch(int i) {
  char* buffer = malloc(64);
  buffer[0] = (char)i;
  int result = buffer[0];
  free(buffer);
  return result;
}
int main(void) {
  int sum = 0;
  for (int i = 0; i < 600000; i++) sum += scratch(i);
  return sum == 1;
}
