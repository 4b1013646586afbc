#include "interposer/collector/shared_segment.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interposer/segment/collector_life.h"

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
  void* mapped = mmap(nullptr, segment::attached_bytes(), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fileno(file), 0);
  REQUIRE(mapped != MAP_FAILED);
  auto* header = static_cast<segment::SegmentHeader*>(mapped);
  CHECK(header->magic == segment::kMagic);
  CHECK_FALSE(segment::collector_is_dead(header));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  CHECK(segment::collector_is_dead(header));
  munmap(mapped, segment::attached_bytes());
  fclose(file);
  close(fds[0]);
  close(fds[1]);
}

TEST_CASE("nobody who holds a descriptor can cut the segment short") {
  const collector::SharedSegment segment(0);
  CHECK(ftruncate(segment.fd(), 4096) != 0);
  CHECK(ftruncate(segment.fd(), static_cast<off_t>(segment::file_bytes() * 2)) != 0);
}

TEST_CASE("a header that a program wrote over is noticed") {
  collector::SharedSegment segment(segment::kOptionNative);
  segment.header()->next_process = 7;
  segment.header()->lost_processes = 3;
  CHECK(segment.is_intact());
  segment.header()->nonce ^= 1;
  CHECK_FALSE(segment.is_intact());
  segment.header()->nonce ^= 1;
  segment.header()->next_process = 0;
  CHECK_FALSE(segment.is_intact());
}

TEST_CASE("chunks beyond the initial ones are mapped where the file has them") {
  collector::SharedSegment segment(0);
  REQUIRE(segment.map_chunks(segment::kInitialChunks * 4));
  const uint32_t index = segment::kInitialChunks * 3 + 5;
  segment.chunk(index)->sequence = 42;
  segment::ChunkHeader read{};
  CHECK(segment.chunk(5) == segment::chunk_at(segment.header(), 5));
  const auto offset = static_cast<off_t>(segment::header_bytes() + index * segment::kChunkBytes);
  REQUIRE(pread(segment.fd(), static_cast<void*>(&read), sizeof read, offset) == sizeof read);
  CHECK(read.sequence == 42);
}
