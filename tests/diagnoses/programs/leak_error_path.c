// expect: leak read_record
#include <stdlib.h>
__attribute__((noinline)) char* read_record(int i) {
  char* record = malloc(5000);
  record[0] = (char)i;
  return record;
}
int main(void) {
  for (int i = 0; i < 20000; i++) {
    char* record = read_record(i);
    if (i % 10 == 3) continue; /* an error: forgotten */
    free(record);
  }
  return 0;
}
