// expect: leak copy_name
#include <stdlib.h>
#include <string.h>
static long total;
__attribute__((noinline)) char* copy_name(const char* name) {
  char* copy = malloc(strlen(name) + 1);
  return strcpy(copy, name);
}
int main(void) {
  for (int i = 0; i < 20000; i++) total += copy_name("somebody or other")[i % 5];
  return total == 0;
}
