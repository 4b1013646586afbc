// A server that marks its requests, so that `memlens ranges` tells what each of them took:
//
//   gcc -g -I include examples/marked_requests.c -o marked_requests
//   memlens run -o requests.mlens ./marked_requests
//   memlens ranges requests.mlens
#include <memlens.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char* log_of_all;
static size_t log_bytes;

static void answer(int number) {
  const size_t body_bytes = (size_t)number * 100000;
  char* body = malloc(body_bytes);
  memset(body, number, body_bytes);
  // Never trimmed: what this keeps is seen as still allocated.
  log_of_all = realloc(log_of_all, log_bytes + 1000);
  memset(log_of_all + log_bytes, 0, 1000);
  log_bytes += 1000;
  free(body);
}

int main(void) {
  memlens_mark("ready");
  for (int number = 1; number <= 5; ++number) {
    char name[32];
    snprintf(name, sizeof name, "request %d", number);
    memlens_range_begin(name);
    answer(number);
    memlens_range_end(name);
  }
  printf("%s, %zu bytes logged\n", memlens_enabled() ? "recorded" : "not recorded", log_bytes);
  return 0;
}
