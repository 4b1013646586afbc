// One thread, one arena, and calls that answer with EINTR when a thread is stopped: a program in
// which nothing locks, and which takes any EINTR for an error, since it has no signal handlers.
#include <malloc.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kBlocks = 64;
struct Block {
  unsigned char* memory;
  size_t size;
  unsigned char mark;
};

void fail(const char* what) {
  dprintf(2, "lone: %s: %s\n", what, strerror(errno));
  _exit(1);
}

void work(Block* blocks, unsigned& seed) {
  for (int i = 0; i < 2000; ++i) {
    seed = seed * 1103515245u + 12345u;
    Block& block = blocks[seed >> 16 & (kBlocks - 1)];
    for (size_t k = 0; k < block.size; ++k) {
      if (block.memory[k] != block.mark) fail("a block's contents have changed");
    }
    free(block.memory);
    block.size = 1 + (seed >> 8 & 2047);
    block.mark = static_cast<unsigned char>(seed >> 3);
    block.memory = static_cast<unsigned char*>(malloc(block.size));
    if (block.memory == nullptr) fail("no memory");
    memset(block.memory, block.mark, block.size);
  }
}

}  // namespace

int main() {
  mallopt(M_ARENA_MAX, 1);
  const int poller = epoll_create1(0);
  const int event = eventfd(0, 0);
  const int watch = inotify_init1(0);
  int pair[2];
  if (poller < 0 || event < 0 || watch < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
    fail("cannot start");
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  epoll_ctl(poller, EPOLL_CTL_ADD, event, &wanted);
  const timeval timeout{0, 1000};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  Block blocks[kBlocks] = {};
  unsigned seed = 1;
  if (write(1, "ready\n", 6) != 6) fail("cannot write");
  for (;;) {
    work(blocks, seed);
    epoll_event got{};
    if (epoll_wait(poller, &got, 1, 1) < 0) fail("epoll_wait");
    work(blocks, seed);
    char byte = 0;
    if (recv(pair[0], &byte, 1, 0) < 0 && errno != EAGAIN) fail("recv with a timeout");
    const timespec pause{0, 500'000};
    timespec left{};
    if (nanosleep(&pause, &left) != 0) fail("nanosleep");
    pollfd readable{event, POLLIN, 0};
    if (poll(&readable, 1, 1) < 0) fail("poll");
  }
}
