/* A sandbox of the strict kind: from a point on, whatever system call is not on a list ends the
   process. On it are those that this program itself needs to allocate and to start threads, and
   those whose names are given as arguments. Two threads allocate 1000 blocks of 50 bytes each and
   free them; 2 MB are mapped; the main thread keeps a block of 77 bytes. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int own[] = {SYS_write,           SYS_mmap,           SYS_munmap,
                          SYS_mprotect,        SYS_madvise,        SYS_brk,
                          SYS_clone,           SYS_futex,          SYS_exit,
                          SYS_set_robust_list, SYS_rseq,           SYS_sched_getaffinity,
                          435 /* clone3 */,    SYS_rt_sigprocmask, SYS_rt_sigaction,
                          SYS_exit_group};

static const struct {
  const char* name;
  int number;
} known[] = {{"futex", SYS_futex},
             {"getpid", SYS_getpid},
             {"getppid", SYS_getppid},
             {"gettid", SYS_gettid},
             {"mmap", SYS_mmap},
             {"mremap", SYS_mremap},
             {"munmap", SYS_munmap},
             {"prctl", SYS_prctl},
             {"readlinkat", SYS_readlinkat},
             {"rt_sigprocmask", SYS_rt_sigprocmask},
             {"tgkill", SYS_tgkill}};

static void* work(void* unused) {
  for (int i = 0; i < 1000; ++i) {
    void* volatile block = malloc(50);
    free(block);
  }
  return unused;
}

enum { kMostAllowed = 64 };

static int allow_only(const int* numbers, int count) {
  struct sock_filter filter[2 * kMostAllowed + 2];
  int length = 0;
  filter[length++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < count; ++i) {
    filter[length++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {(unsigned short)length, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int main(int argc, char** argv) {
  int allowed[kMostAllowed];
  int count = 0;
  for (size_t i = 0; i < sizeof own / sizeof *own; ++i) allowed[count++] = own[i];
  for (int i = 1; i < argc; ++i) {
    size_t j = 0;
    while (j < sizeof known / sizeof *known && strcmp(known[j].name, argv[i]) != 0) ++j;
    if (j == sizeof known / sizeof *known || count == kMostAllowed) return 2;
    allowed[count++] = known[j].number;
  }
  void* volatile kept = malloc(77);
  if (!allow_only(allowed, count)) return 77;
  char* mapped = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mapped[0] = kept != NULL;
  for (int round = 0; round < 20; ++round) {
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  }
  return write(1, "fine\n", 5) == 5 ? 0 : 1;
}
