// asked_in_danger CASE: a process of some 60 MB in which asking malloc for its statistics would do
// harm, or making a copy of the process would show. Without anybody asking each ends well.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kBlocks = 40000, kBlockBytes = 1500 };
static void* blocks[kBlocks];

// Every other one is free again, so that walking and trimming the heap takes a while.
static void fill(void) {
  for (int i = 0; i < kBlocks; i++) memset(blocks[i] = malloc(kBlockBytes), 1, kBlockBytes);
  for (int i = 0; i < kBlocks; i += 2) free(blocks[i]);
}

// Whoever wants to know something of this process comes by in the meantime: mappings are recorded,
// and need nothing of malloc's.
static void map_for(int milliseconds) {
  for (int i = 0; i < milliseconds; i++) {
    void* pages = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char*)pages = 1;
    munmap(pages, 1 << 16);
    usleep(1000);
  }
}

static void start(void* (*work)(void*), pthread_t* thread) {
  pthread_t own;
  pthread_create(thread != NULL ? thread : &own, NULL, work, NULL);
}
static void* idle(void* argument) {
  pause();
  return argument;
}
static void* trim(void* argument) {
  for (;;) malloc_trim(0);
  return argument;
}

// ---- handlers that end the program while this very thread is inside malloc
static int resets;
static void reset_and_exit(int signal_number) {
  if (resets) signal(signal_number, SIG_DFL);
  exit(7);
}
static int exit_in_handler(int signal_number, int flags, int reset) {
  fill();
  start(idle, NULL);
  resets = reset;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = reset_and_exit;
  action.sa_flags = flags;
  sigaction(signal_number, &action, NULL);
  if (signal_number == SIGALRM) {
    struct itimerval once = {{0, 0}, {0, 300000}};
    setitimer(ITIMER_REAL, &once, NULL);
  } else if (fork() == 0) {
    usleep(300000);
    kill(getppid(), signal_number);
    _exit(0);
  }
  trim(NULL);
  return 0;
}

// ---- a thread that stands still inside malloc for good
static void stand_still(int signal_number) {
  (void)signal_number;
  for (;;) pause();
}
static int exit_beside_parked_thread(void) {
  pthread_t thread;
  fill();
  signal(SIGUSR1, stand_still);
  start(trim, &thread);
  usleep(100000);
  pthread_kill(thread, SIGUSR1);
  usleep(50000);
  map_for(500);
  exit(3);
}

// ---- a heap that was written over, which nobody notices
static int end_with_damage(int what) {
  fill();
  char *first = malloc(5000), *second = malloc(5000), *small[10];
  for (int i = 0; i < 10; i++) small[i] = malloc(24);
  if (what == 0) {
    free(first);
    ((long*)first)[0]--;  // a count of references, in an object that is freed
  } else if (what == 1) {
    for (int i = 0; i < 10; i++) free(small[i]);
    ((long*)small[9])[0]--;
  } else {
    free(first);
    ((void**)first)[0] = first - 16;  // a list without an end
  }
  map_for(300);
  write(1, "done\n", second != NULL ? 5 : 0);
  return 0;
}

// ---- a collector that stops all threads, wherever they are
static sem_t stopped;
static volatile int stop;
static void on_stop(int signal_number) {
  (void)signal_number;
  sem_post(&stopped);
  struct timespec millisecond = {0, 1000000};
  while (stop) nanosleep(&millisecond, NULL);
}
static void* allocate_and_trim(void* argument) {
  for (;;) {
    void* some[300];
    for (int i = 0; i < 300; i++) some[i] = malloc(2000 + i % 50 * 16);
    for (int i = 0; i < 300; i++) free(some[i]);
    malloc_trim(0);
  }
  return argument;
}
static int stop_the_world(void) {
  pthread_t thread;
  fill();
  sem_init(&stopped, 0, 0);
  signal(SIGPWR, on_stop);
  start(allocate_and_trim, &thread);
  for (int round = 0; round < 15; round++) {
    usleep(5000);
    stop = 1;
    pthread_kill(thread, SIGPWR);
    while (sem_wait(&stopped) != 0) {
    }
    map_for(50);
    stop = 0;
  }
  puts("done");
  return 0;
}

// ---- children: none but its own is ever seen
static volatile int signals_seen;
static void on_child(int signal_number) {
  (void)signal_number;
  ++signals_seen;
}
static int wait_for_all(int ignored) {
  int strangers = 0, errors = 0;
  signal(SIGCHLD, ignored ? SIG_IGN : on_child);
  fill();
  for (int i = 0; i < 500; i++) {
    map_for(1);
    siginfo_t info;
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) ++strangers;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) >= 0 || errno != ECHILD) ++strangers;
    if (i == 250) {
      const pid_t child = fork();
      if (child == 0) _exit(5);
      int status = 0;
      const pid_t waited = wait(&status);
      if (ignored ? waited != -1 : waited != child || WEXITSTATUS(status) != 5) ++errors;
    }
  }
  printf("%d strangers, %d errors, %d signals\n", strangers, errors, signals_seen);
  return 0;
}

// ---- a program that becomes another while somebody may still be asking
static int become_another(void) {
  fill();
  map_for(600);
  execl("/bin/sh", "sh", "-c", "sleep 0.2; wait; echo another", (char*)NULL);
  return 1;
}

// ---- a child of vfork locks itself in: its parent has not
static int vfork_child_filters(void) {
  if (vfork() == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    _exit(0);
  }
  wait(NULL);
  fill();
  map_for(600);
  puts("done");
  return 0;
}

// ---- handlers while this very thread waits for the leave to be asked
static void (*mark)(const char*);
static sigjmp_buf out;
static volatile int handled;
static void jump_out(int signal_number) {
  handled = signal_number;
  siglongjmp(out, 1);
}
static void lock_in(int signal_number) {
  handled = signal_number;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
// Whoever gives it is stopped, so that it does wait. Without memlens nobody is.
static int handle_in_mark(void (*handler)(int)) {
  *(void**)&mark = dlsym(RTLD_DEFAULT, "memlens_mark");
  signal(SIGALRM, handler);
  fill();
  map_for(600);
  for (int i = 0; mark != NULL && i < 10 && !handled; i++) {
    struct itimerval once = {{0, 0}, {0, 30000}}, none = {{0, 0}, {0, 0}};
    kill(getppid(), SIGSTOP);
    usleep(20000);
    if (sigsetjmp(out, 1) == 0) {
      setitimer(ITIMER_REAL, &once, NULL);
      mark("here");
    }
    setitimer(ITIMER_REAL, &none, NULL);
    kill(getppid(), SIGCONT);
    map_for(100);
  }
  map_for(500);
  puts(mark != NULL && !handled ? "not handled" : "done");
  return 0;
}

int main(int argc, char** argv) {
  (void)argc;
  const char* name = argv[1];
  if (strcmp(name, "handler") == 0) return exit_in_handler(SIGALRM, 0, 0);
  if (strcmp(name, "handler-resets") == 0) return exit_in_handler(SIGALRM, 0, 1);
  if (strcmp(name, "handler-once") == 0) return exit_in_handler(SIGALRM, SA_RESETHAND, 0);
  if (strcmp(name, "handler-of-faults") == 0) return exit_in_handler(SIGSEGV, 0, 0);
  if (strcmp(name, "parked") == 0) return exit_beside_parked_thread();
  if (strcmp(name, "freed-count") == 0) return end_with_damage(0);
  if (strcmp(name, "small-list") == 0) return end_with_damage(1);
  if (strcmp(name, "endless-list") == 0) return end_with_damage(2);
  if (strcmp(name, "stop-the-world") == 0) return stop_the_world();
  if (strcmp(name, "children") == 0) return wait_for_all(0);
  if (strcmp(name, "children-ignored") == 0) return wait_for_all(1);
  if (strcmp(name, "exec") == 0) return become_another();
  if (strcmp(name, "vfork") == 0) return vfork_child_filters();
  if (strcmp(name, "jump") == 0) return handle_in_mark(jump_out);
  if (strcmp(name, "lock-in") == 0) return handle_in_mark(lock_in);
  return 2;
}
