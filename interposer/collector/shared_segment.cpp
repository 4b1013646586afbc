#include "interposer/collector/shared_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "interposer/platform/clock.h"
#include "interposer/platform/send_descriptor.h"

namespace memlens::collector {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void lock_for_life(pthread_mutex_t* mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  pthread_mutex_lock(mutex);
}

// `ulimit -f` counts the segment as a file, though it is address space that is mostly never used:
// the limit is lifted for the moment it takes.
void size_file(int fd, size_t bytes) {
  rlimit original{};
  getrlimit(RLIMIT_FSIZE, &original);
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  const rlimit raised{original.rlim_max, original.rlim_max};
  if (setrlimit(RLIMIT_FSIZE, &unlimited) != 0) setrlimit(RLIMIT_FSIZE, &raised);
  const int result = ftruncate(fd, static_cast<off_t>(bytes));
  const int error = errno;
  setrlimit(RLIMIT_FSIZE, &original);
  errno = error;
  if (result != 0) fail("cannot size the shared memory (is there a hard `ulimit -f`?)");
}

uint64_t random_number() {
  uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value) fail("cannot get a random number");
  return value;
}

// The parent of `pid`, 0 when it cannot be told.
int32_t parent_of(int32_t pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return 0;
  char line[512] = {};
  const bool read = fgets(line, sizeof line, file) != nullptr;
  fclose(file);
  // "pid (name) state parent": the name may hold anything, parentheses too.
  const char* after_name = read ? std::strrchr(line, ')') : nullptr;
  int32_t parent = 0;
  if (after_name == nullptr || sscanf(after_name + 1, " %*c %d", &parent) != 1) return 0;
  return parent;
}

// An abstract socket has no permissions and its name is in /proc/net/unix, so the peer is asked
// who it is: our own user, root, or (a setuid program) somebody this collector started.
bool may_have_segment(int connection, uint32_t admitted_user) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return false;
  if (peer.uid == geteuid() || peer.uid == 0 || peer.uid == admitted_user) return true;
  constexpr int kMaxGenerations = 64;
  int32_t pid = peer.pid;
  for (int i = 0; i < kMaxGenerations && pid > 1; ++i, pid = parent_of(pid)) {
    if (pid == getpid()) return true;
  }
  return false;
}

}  // namespace

SharedSegment::SharedSegment(uint32_t options) : options_(options) {
  fd_ = memfd_create("memlens", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd_ < 0) fail("cannot create shared memory");
  size_file(fd_, segment::file_bytes());
  // Programs hold descriptors of it: a file cut short would kill whoever reads beyond its end.
  fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  fchmod(fd_, 0600);  // a new memfd is open to everybody who can see /proc/<pid>/fd
  struct stat status {};
  if (fstat(fd_, &status) != 0) fail("cannot read the shared memory's status");
  inode_ = status.st_ino;
  void* mapped = mmap(nullptr, segment::initial_bytes(), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (mapped == MAP_FAILED) {
    fail("cannot map the shared memory (is there a limit on address space, `ulimit -v`?)");
  }
  header_ = static_cast<segment::SegmentHeader*>(mapped);
  windows_.start(header_);
  for (uint32_t i = 1; i < segment::kInitialWindows; ++i) {
    windows_.add(i,
                 reinterpret_cast<char*>(segment::chunk_at(header_, i * segment::kWindowChunks)));
  }
  first_ticks_ = platform::read_ticks();
  nonce_ = random_number();
  header_->layout_version = segment::kLayoutVersion;
  header_->options = options_;
  header_->nonce = nonce_;
  header_->file_bytes = segment::file_bytes();
  header_->collector_pid = getpid();
  header_->active_chunks = segment::kInitialChunks;
  header_->next_process = segment::kFirstProcess;
  header_->tick = 1;
  lock_for_life(&header_->collector_alive);
  open_socket();
  // Last: a segment with the magic is a whole one.
  std::atomic_thread_fence(std::memory_order_release);
  header_->magic = segment::kMagic;
}

SharedSegment::~SharedSegment() {
  // The mutex stays locked: unlocking would tell programs that still run that the collector lives.
  // So what was mapped with it stays, since the kernel and libc follow the thread's list of robust
  // mutexes through it.
  for (uint32_t i = segment::kInitialWindows; i < segment::kMaxWindows; ++i) {
    if (char* window = windows_.window(i)) munmap(window, segment::window_bytes());
  }
  // Programs that run on keep the segment mapped (interposer/SESSIONS.md), and need not pay for
  // what is in it.
  if (fd_ >= 0) {
    (void)fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(segment::header_bytes()),
                    static_cast<off_t>(segment::file_bytes() - segment::header_bytes()));
    close(fd_);
  }
  if (socket_fd_ >= 0) close(socket_fd_);
}

bool SharedSegment::is_intact() const {
  const volatile segment::SegmentHeader& header = *header_;
  return header.magic == segment::kMagic && header.layout_version == segment::kLayoutVersion &&
         header.options == options_ && header.nonce == nonce_ &&
         header.file_bytes == segment::file_bytes() && header.collector_pid == getpid() &&
         header_->next_process.load() >= segment::kFirstProcess;
}

bool SharedSegment::map_chunks(uint32_t count) {
  for (uint32_t i = 1; i < count / segment::kWindowChunks; ++i) {
    if (windows_.window(i) != nullptr) continue;
    void* mapped =
        mmap(nullptr, segment::window_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
             fd_, static_cast<off_t>(segment::window_offset(i)));
    if (mapped == MAP_FAILED) return false;
    windows_.add(i, static_cast<char*>(mapped));
  }
  return true;
}

void SharedSegment::open_socket() {
  char name[64];
  snprintf(name, sizeof name, "memlens-%d-%016" PRIx64, getpid(), nonce_);
  socket_fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_fd_ < 0) return;  // one way of three to reach the segment; the others remain
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Abstract: no file to clean up, and a chroot does not hide it.
  std::memcpy(address.sun_path + 1, name, std::strlen(name));
  const auto bytes =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
  if (bind(socket_fd_, reinterpret_cast<sockaddr*>(&address), bytes) != 0 ||
      listen(socket_fd_, 128) != 0) {
    close(socket_fd_);
    socket_fd_ = -1;
  }
  socket_name_ = name;
}

std::string SharedSegment::description(int inherited_fd) const {
  char text[256];
  snprintf(text, sizeof text, "%d:%d:%d:%" PRIu64 ":%" PRIx64 ":%s", getpid(), fd_, inherited_fd,
           inode_, nonce_, socket_name_.empty() ? "-" : socket_name_.c_str());
  return text;
}

void SharedSegment::serve_socket() {
  if (socket_fd_ < 0) return;
  for (;;) {
    const int connection = accept4(socket_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    if (may_have_segment(connection, admitted_user_)) {
      // A program that has gone meanwhile misses nothing.
      (void)platform::send_descriptor(connection, fd_, MSG_DONTWAIT);
    }
    close(connection);
  }
}

}  // namespace memlens::collector
