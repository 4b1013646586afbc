#include "interposer/collector/shared_segment.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interposer/segment/futex.h"

using namespace memlens;

TEST_CASE("the segment tells of its collector's death") {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    auto* segment = new collector::SharedSegment(0);
    const int fd = segment->fd();
    if (write(fds[1], &fd, sizeof fd) < 0) _exit(1);
    pause();
  }
  int their_fd = -1;
  REQUIRE(read(fds[0], &their_fd, sizeof their_fd) == sizeof their_fd);
  const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(their_fd);
  FILE* file = fopen(path.c_str(), "r+");
  REQUIRE(file != nullptr);
  void* mapped = mmap(nullptr, segment::total_bytes(), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fileno(file), 0);
  REQUIRE(mapped != MAP_FAILED);
  auto* header = static_cast<segment::SegmentHeader*>(mapped);
  CHECK(header->magic == segment::kMagic);
  CHECK_FALSE(segment::collector_is_dead(header));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  CHECK(segment::collector_is_dead(header));
  munmap(mapped, segment::total_bytes());
  fclose(file);
  close(fds[0]);
  close(fds[1]);
}
