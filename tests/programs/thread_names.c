/* Names given by a thread to itself, to another, and by prctl. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static pthread_barrier_t started, named;

static void* own_name(void* unused) {
  free(malloc(1));
  pthread_setname_np(pthread_self(), "namedItself");
  return malloc(11);
}

static void* prctl_name(void* unused) {
  free(malloc(1));
  prctl(PR_SET_NAME, "namedByPrctlAndCut", 0, 0, 0);
  return malloc(12);
}

static void* given_name(void* unused) {
  free(malloc(1));
  pthread_barrier_wait(&started);
  pthread_barrier_wait(&named);
  for (int i = 0; i < 3000; i++) free(malloc(i)); /* until it looks */
  return malloc(13);
}

int main(void) {
  pthread_t threads[3];
  pthread_barrier_init(&started, NULL, 2);
  pthread_barrier_init(&named, NULL, 2);
  pthread_create(&threads[0], NULL, own_name, NULL);
  pthread_create(&threads[1], NULL, prctl_name, NULL);
  pthread_create(&threads[2], NULL, given_name, NULL);
  pthread_barrier_wait(&started);
  pthread_setname_np(threads[2], "namedByOther");
  pthread_barrier_wait(&named);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  return 0;
}
