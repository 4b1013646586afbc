// expect: leak work
#include <pthread.h>
#include <stdlib.h>
static void* work(void* unused) {
  (void)unused;
  char* scratch = malloc(100000);
  scratch[0] = 1;
  return NULL;
}
int main(void) {
  for (int i = 0; i < 100; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
  }
  return 0;
}
