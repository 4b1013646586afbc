#include "interposer/session/gate.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "interposer/platform/system_call.h"
#include "interposer/segment/layout.h"
#include "interposer/session/pid_namespace.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif

namespace memlens::interposer {

constinit segment::Gate gate{};

namespace {

constexpr unsigned kCloseOnExec = 1, kAllowSealing = 2;        // MFD_...
constexpr int kSealShrink = 2, kSealGrow = 4, kSealSeals = 1;  // F_SEAL_...
constexpr int kHighestDescriptor = 990;  // out of the way of programs that count on low ones

int gate_fd = -1;
uint64_t gate_inode = 0;

uint64_t inode_of(int fd) {
  struct stat status {};
  return system_call::read_status(fd, status) ? status.st_ino : 0;
}

int move_up(int fd) {
  rlimit limit{};
  int lowest = kHighestDescriptor;
  if (system_call::read_limit(RLIMIT_NOFILE, limit) &&
      limit.rlim_cur <= static_cast<rlim_t>(lowest)) {
    lowest = static_cast<int>(limit.rlim_cur) - 2;
  }
  if (lowest <= fd) return fd;
  const int moved = system_call::control_file(fd, F_DUPFD_CLOEXEC, lowest);
  if (moved < 0) return fd;
  system_call::close_file(fd);
  return moved;
}

// "Seccomp_filters:\t1"; 0 where the kernel does not tell (before 5.9).
uint32_t own_seccomp_filters() {
  char text[4096];
  const int fd = system_call::open_file("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long length = system_call::read_file(fd, text, sizeof text - 1);
  system_call::close_file(fd);
  text[length > 0 ? length : 0] = '\0';
  const char* field = std::strstr(text, "Seccomp_filters:");
  if (field == nullptr) return 0;
  uint32_t count = 0;
  for (field += sizeof "Seccomp_filters:"; *field >= '0' && *field <= '9'; ++field) {
    count = count * 10 + static_cast<uint32_t>(*field - '0');
  }
  return count;
}

bool map_over(int fd) {
  if (!system_call::resize_file(fd, segment::kGateBytes)) return false;
  system_call::set_file_mode(fd, 0600);
  system_call::control_file(fd, F_ADD_SEALS, kSealShrink | kSealGrow | kSealSeals);
  void* made =
      system_call::map(nullptr, segment::kGateBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (made == MAP_FAILED) return false;
  std::memcpy(made, static_cast<const void*>(&gate), segment::kGateBytes);
  auto* page = static_cast<segment::Gate*>(made);
  page->request.store(segment::GateRequest::kNone, std::memory_order_relaxed);
  page->layout_version = segment::kLayoutVersion;
  page->pid = system_call::process_id();
  page->pid_namespace = pid_namespace_inode();
  page->seccomp_filters = own_seccomp_filters();
  std::atomic_thread_fence(std::memory_order_release);
  page->magic = segment::kGateMagic;
  // In one step: hooks of other threads read the word all the time.
  if (system_call::move_mapping(made, segment::kGateBytes, &gate)) return true;
  system_call::unmap(made, segment::kGateBytes);
  return false;
}

}  // namespace

bool open_gate() {
  const int saved_errno = errno;
  if (gate_fd >= 0 && inode_of(gate_fd) == gate_inode) system_call::close_file(gate_fd);
  gate_fd = -1;
  const int fd = system_call::make_memory_file(segment::kGateName, kCloseOnExec | kAllowSealing);
  bool open = false;
  if (fd >= 0) {
    open = map_over(fd);
    if (open) {
      gate_fd = move_up(fd);
      gate_inode = inode_of(gate_fd);
    } else {
      system_call::close_file(fd);
    }
  }
  errno = saved_errno;
  return open;
}

bool gate_is_open() { return gate_inode != 0; }

}  // namespace memlens::interposer
