// 100 threads that all live at once, of which libc frees something after their last destructor.
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 100
static pthread_barrier_t all_there;

static void* work(void* unused) {
  free(malloc(100));
  // A message that libc allocates for the thread, and frees when it is over.
  char* volatile text = strerror_l(12345, newlocale(LC_ALL_MASK, "C", (locale_t)0));
  pthread_barrier_wait(&all_there);
  return unused;
}

int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&all_there, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, work, NULL);
  pthread_barrier_wait(&all_there);
  for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
  return 0;
}
