// expect: peak make_matrix
#include <stdlib.h>
__attribute__((noinline)) double* make_matrix(size_t n) { return calloc(n * n, sizeof(double)); }
int main(void) {
  double *a = make_matrix(1500), *b = make_matrix(500);
  for (size_t i = 0; i < 1500 * 1500; i += 100) a[i] = 1;
  double first = a[0] + b[0];
  free(a);
  free(b);
  return first == 2;
}
