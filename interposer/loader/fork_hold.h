// Fork and who has the loader stopped exclude each other: a child that is forked meanwhile would
// have the loader's lock taken for good.
#pragma once

namespace memlens::interposer {

// While one lives, no thread forks (but by system calls of its own); both give up after half a
// minute. Not inside a hook.
class ForkHold {
 public:
  ForkHold();
  ~ForkHold();
  ForkHold(const ForkHold&) = delete;
  ForkHold& operator=(const ForkHold&) = delete;
};

// Around a fork, where its hook is in; else pthread_atfork's handlers, registered by the first
// hold, do the same. In the child: nobody holds, and nobody forks.
void begin_fork();
void end_fork();
void forget_forks_of_parent();

}  // namespace memlens::interposer
