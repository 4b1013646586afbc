#include "interposer/guest/stack_memory.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <sys/mman.h>

using namespace memlens::interposer::unwind;

namespace {

constexpr uintptr_t kPage = 4096;

// `count` pages, all without access.
class Pages {
 public:
  explicit Pages(size_t count) : bytes_(count * kPage) {
    start_ = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  ~Pages() { munmap(start_, bytes_); }
  uintptr_t page(size_t index) const { return reinterpret_cast<uintptr_t>(start_) + index * kPage; }
  void open(size_t first, size_t count) {
    mprotect(reinterpret_cast<void*>(page(first)), count * kPage, PROT_READ | PROT_WRITE);
  }

 private:
  size_t bytes_;
  void* start_;
};

}  // namespace

TEST_CASE("readable pages are told from others, and errno stays") {
  Pages pages(3);
  pages.open(1, 1);
  errno = 77;
  const bool closed = is_readable(pages.page(0));
  const int saved_errno = errno;
  CHECK_FALSE(closed);
  CHECK(saved_errno == 77);
  CHECK(is_readable(pages.page(1) + 8));
  CHECK_FALSE(is_readable(pages.page(2)));
  CHECK_FALSE(is_readable(0));
  CHECK_FALSE(is_readable(uintptr_t{0xffff} << 48));
}

TEST_CASE("a window grows to the end of the stack and no further") {
  Pages pages(8);
  pages.open(1, 5);
  StackMemory memory{};
  CHECK_FALSE(memory.readable(pages.page(2)));
  CHECK(memory.enter(pages.page(2) + 64));
  CHECK(memory.readable(pages.page(2)));
  CHECK_FALSE(memory.readable(pages.page(1)));
  CHECK(memory.readable(pages.page(6) - 8));
  CHECK_FALSE(memory.readable(pages.page(6) - 4));
  CHECK_FALSE(memory.readable(pages.page(6)));
  CHECK_FALSE(memory.readable(pages.page(4) + (uintptr_t{1} << 40)));
  CHECK_FALSE(memory.readable(~uintptr_t{0}));
}

TEST_CASE("a stack that has grown down is the same stack, over a gap it is another") {
  Pages pages(12);
  pages.open(1, 3);
  pages.open(6, 4);
  StackMemory memory{};
  CHECK(memory.enter(pages.page(8)));
  CHECK(memory.enter(pages.page(6)));
  CHECK(memory.readable(pages.page(8)));
  CHECK(memory.lost_windows() == 0);
  CHECK(memory.enter(pages.page(2)));
  CHECK_FALSE(memory.readable(pages.page(8)));
  // Back, without asking again; nothing lost.
  CHECK(memory.enter(pages.page(6) + 128));
  CHECK(memory.readable(pages.page(9)));
  CHECK(memory.lost_windows() == 0);
}

TEST_CASE("a third stack pushes a window out, which is told") {
  Pages pages(9);
  for (size_t i = 1; i < 9; i += 3) pages.open(i, 1);
  StackMemory memory{};
  CHECK(memory.enter(pages.page(7)));
  CHECK(memory.enter(pages.page(4)));
  CHECK(memory.lost_windows() == 0);
  CHECK(memory.enter(pages.page(1)));
  CHECK(memory.lost_windows() == 1);
  CHECK_FALSE(memory.enter(pages.page(2)));
}
