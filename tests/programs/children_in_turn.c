/* Children that live strictly one after another, 20 of them, each with a block of 5 MB in use to
   its end, which is of the kind its first argument names. The second argument says how the parent
   waits. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int child_ends(const char* how) {
  char* volatile block = malloc(5000000);
  memset(block, 1, 5000000);
  if (strcmp(how, "_exit") == 0) _exit(3);
  if (strcmp(how, "exit") == 0) exit(3);
  if (strcmp(how, "raw") == 0) syscall(SYS_exit_group, 3);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "kill") == 0) raise(SIGKILL);
  return 3;
}

static pid_t wait_as(const char* how, pid_t child) {
  int status;
  siginfo_t info = {0};
  if (strcmp(how, "wait") == 0) return wait(&status);
  if (strcmp(how, "wait_without_status") == 0) return wait(NULL);
  if (strcmp(how, "waitpid") == 0) return waitpid(child, &status, 0);
  if (strcmp(how, "wait4") == 0) return wait4(child, &status, 0, NULL);
  if (strcmp(how, "wait3") == 0) return wait3(&status, 0, NULL);
  if (strcmp(how, "waitid") == 0) {
    return waitid(P_PID, (id_t)child, &info, WEXITED) == 0 ? info.si_pid : -1;
  }
  return (pid_t)syscall(SYS_wait4, child, &status, 0, NULL);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) return child_ends(argv[1]);
    if (wait_as(argv[2], child) != child) return 1;
  }
  return 0;
}
