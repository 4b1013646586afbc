#include "interposer/session/pid_namespace.h"

#include "interposer/platform/system_call.h"

namespace memlens::interposer {

uint64_t pid_namespace_inode() {
  char target[64];
  const long length = system_call::read_link("/proc/self/ns/pid", target, sizeof target - 1);
  if (length <= 0) return 0;
  uint64_t inode = 0;
  for (long i = 0; i < length; ++i) {
    if (target[i] >= '0' && target[i] <= '9') {
      inode = inode * 10 + static_cast<uint64_t>(target[i] - '0');
    }
  }
  return inode;
}

}  // namespace memlens::interposer
