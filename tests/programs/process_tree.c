/* Makes children in the way its first argument names. Each process leaks blocks of sizes that tell
   it: 1000 the first, 2000 a child that shares the image, 3000 a program that was started (the one
   in the second argument, called with its size). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;
static char* program;
static char* arguments[] = {"child", "3000", NULL};
static char* nothing[] = {NULL};

static void leak(size_t bytes) {
  char* volatile block = malloc(bytes);
  block[0] = 1;
}

static int wait_for(pid_t pid) {
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return 100;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

static int shape(const char* how) {
  pid_t pid;
#define IS(name) (strcmp(how, name) == 0)
#define IN_CHILD(fork_call, action) \
  do {                              \
    pid = (fork_call);              \
    if (pid == 0) {                 \
      action;                       \
      _exit(99);                    \
    }                               \
    return wait_for(pid);           \
  } while (0)

  if (IS("fork")) IN_CHILD(fork(), (leak(2000), _exit(0)));
  if (IS("silent_fork")) IN_CHILD(fork(), _exit(0));
  if (IS("_Fork")) IN_CHILD(_Fork(), (leak(2000), _exit(0)));
  if (IS("raw_fork")) IN_CHILD(syscall(SYS_fork), (leak(2000), _exit(0)));
  if (IS("raw_clone")) IN_CHILD(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), (leak(2000), _exit(0)));
  if (IS("forkpty")) {
    int controller;
    IN_CHILD(forkpty(&controller, NULL, NULL, NULL), (leak(2000), _exit(0)));
  }
  if (IS("execve")) IN_CHILD(fork(), execve(program, arguments, environ));
  if (IS("execv")) IN_CHILD(fork(), execv(program, arguments));
  if (IS("execvp")) IN_CHILD(fork(), execvp(program, arguments));
  if (IS("execvpe")) IN_CHILD(fork(), execvpe(program, arguments, environ));
  if (IS("execl")) IN_CHILD(fork(), execl(program, "child", "3000", NULL));
  if (IS("execlp")) IN_CHILD(fork(), execlp(program, "child", "3000", NULL));
  if (IS("execle")) IN_CHILD(fork(), execle(program, "child", "3000", NULL, environ));
  if (IS("execveat")) IN_CHILD(fork(), execveat(AT_FDCWD, program, arguments, environ, 0));
  if (IS("fexecve")) IN_CHILD(fork(), fexecve(open(program, O_RDONLY), arguments, environ));
  if (IS("vfork_exec")) IN_CHILD(vfork(), execv(program, arguments));
  if (IS("raw_fork_exec")) IN_CHILD(syscall(SYS_fork), execv(program, arguments));
  if (IS("empty_environment")) IN_CHILD(fork(), execve(program, arguments, nothing));
  if (IS("null_environment")) IN_CHILD(fork(), execve(program, arguments, NULL));
  if (IS("vfork_empty_environment")) IN_CHILD(vfork(), execve(program, arguments, nothing));
  if (IS("huge_environment")) {
    static char* huge[20001];
    for (int i = 0; i < 20000; i++) huge[i] = "NAME=value";
    IN_CHILD(vfork(), execve(program, arguments, huge));
  }
  if (IS("failed_exec")) {
    IN_CHILD(fork(),
             (execv("/no/such/program", arguments), leak(2000), _exit(errno == ENOENT ? 0 : 98)));
  }
  if (IS("failed_vfork_exec")) {
    IN_CHILD(vfork(), (execv("/no/such/program", arguments), _exit(errno == ENOENT ? 0 : 98)));
  }
  if (IS("posix_spawn")) {
    return posix_spawn(&pid, program, NULL, NULL, arguments, environ) ? 97 : wait_for(pid);
  }
  if (IS("posix_spawnp")) {
    return posix_spawnp(&pid, program, NULL, NULL, arguments, nothing) ? 97 : wait_for(pid);
  }
  if (IS("failed_spawn")) {
    return posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environ) == ENOENT ? 0 : 97;
  }
  if (IS("system") || IS("popen")) {
    char command[4200];
    snprintf(command, sizeof command, "exec %s 3000", program);
    if (IS("system")) return system(command);
    FILE* pipe = popen(command, "r");
    return pclose(pipe);
  }
  if (IS("exec_in_place")) {
    execv(program, arguments);
    return 96;
  }
  if (IS("daemon") || IS("double_fork")) {
    if (IS("daemon")) {
      if (daemon(0, 0) != 0) return 95;
    } else {
      if (fork() != 0) _exit(0);
      setsid();
      if (fork() != 0) _exit(0);
      close_range(0, ~0u, 0);
    }
    usleep(200 * 1000); /* its parents are gone, and nothing was allocated yet */
    leak(2000);
    if (IS("double_fork")) execv(program, arguments);
    return 0;
  }
  return 94;
}

int main(int argc, char** argv) {
  program = argc > 2 ? argv[2] : "/bin/true";
  leak(1000);
  return shape(argv[1]);
}
