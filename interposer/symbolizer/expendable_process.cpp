#include "interposer/symbolizer/expendable_process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <initializer_list>

namespace memlens::symbolizer {

void become_expendable(uint64_t most_bytes) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int fatal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) signal(fatal, SIG_DFL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
#ifdef __SANITIZE_ADDRESS__  // whose shadow memory alone is more
  (void)most_bytes;
#else
  const rlimit memory{most_bytes, most_bytes};
  setrlimit(RLIMIT_DATA, &memory);
#endif
}

}  // namespace memlens::symbolizer
