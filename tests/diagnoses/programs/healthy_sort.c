// expect: healthy
#include <stdlib.h>
static int compare(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }
int main(void) {
  int* values = malloc(200000 * sizeof *values);
  for (int i = 0; i < 200000; i++) values[i] = (i * 7919) % 200003;
  qsort(values, 200000, sizeof *values, compare);
  int first = values[0];
  free(values);
  return first != 0;
}
