// Five forked children, one after the other, each of which ends at once when it maps, unmaps or
// reads a link: what a recorded child asks the kernel for adds to each of a server's connections.
// Each allocates 100 blocks of 50 bytes and frees them.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int filtered;

static void forbid(void) {
  if (!filtered) return;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_readlink, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_readlinkat, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(77);
  }
}

static int child_status(void) {
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 100; ++i) {
      void* volatile block = malloc(50);
      free(block);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

int main(void) {
  void* volatile block = malloc(50);
  pthread_atfork(NULL, NULL, forbid);  // runs in the child before anything of its own
  child_status();
  filtered = 1;
  for (int i = 0; i < 5; ++i) {
    const int status = child_status();
    if (status != 0) printf("child %d ended with status %#x\n", i, status);
  }
  free(block);
  return 0;
}
