// A library with a hidden allocator behind a pool of static methods that it exports, as Arrow has
// its jemalloc: results by reference, a Status returned, no block for no bytes. Keeps account of
// it.
#include <sys/mman.h>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../ledger.h"

namespace {

ledger account;
char* next;
char* end;
uint8_t no_bytes[1];

// Blocks are never given to anybody again.
void* hidden_mallocx(size_t bytes, size_t alignment) {
  const size_t taken = (bytes + alignment - 1) & ~(alignment - 1);
  if (next == nullptr || next + taken > end) {
    const size_t chunk_bytes = 1 << 22;
    next = (char*)mmap(nullptr, chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
    end = next + chunk_bytes;
  }
  void* const block = next;
  next += taken;
  return block;
}

constexpr int64_t kTooMuch = 1 << 20;

}  // namespace

namespace arrow {

class Status {
 public:
  Status() : state_(nullptr) {}
  explicit Status(const char* state) : state_(state) {}
  Status(Status&& other) noexcept : state_(other.state_) { other.state_ = nullptr; }
  ~Status() { state_ = nullptr; }
  bool ok() const { return state_ == nullptr; }

 private:
  const char* state_;
};

namespace memory_pool::internal {

class JemallocAllocator {
 public:
  static Status AllocateAligned(int64_t bytes, int64_t alignment, uint8_t** out);
  static Status ReallocateAligned(int64_t old_bytes, int64_t bytes, int64_t alignment,
                                  uint8_t** block);
  static void DeallocateAligned(uint8_t* block, int64_t bytes, int64_t alignment);
};

Status JemallocAllocator::AllocateAligned(int64_t bytes, int64_t alignment, uint8_t** out) {
  if (bytes > kTooMuch) {
    *out = nullptr;
    return Status("too much");
  }
  *out = bytes == 0 ? no_bytes : (uint8_t*)hidden_mallocx(bytes, alignment);
  return Status();
}

Status JemallocAllocator::ReallocateAligned(int64_t old_bytes, int64_t bytes, int64_t alignment,
                                            uint8_t** block) {
  if (*block == no_bytes) return AllocateAligned(bytes, alignment, block);
  if (bytes == 0) {
    DeallocateAligned(*block, old_bytes, alignment);
    *block = no_bytes;
    return Status();
  }
  if (bytes > kTooMuch) return Status("too much");
  uint8_t* const moved = (uint8_t*)hidden_mallocx(bytes, alignment);
  memcpy(moved, *block, old_bytes < bytes ? old_bytes : bytes);
  *block = moved;
  return Status();
}

void JemallocAllocator::DeallocateAligned(uint8_t* block, int64_t bytes, int64_t alignment) {}

}  // namespace memory_pool::internal
}  // namespace arrow

using arrow::memory_pool::internal::JemallocAllocator;

static void allocated(int64_t bytes) {
  if (bytes != 0) ledger_allocated(&account, bytes);
}
static void freed(int64_t bytes) {
  if (bytes != 0) ledger_freed(&account, bytes);
}

extern "C" int bundled_churn(int rounds) {
  int failures = 0;
  for (int i = 0; i < rounds; i++) {
    int64_t bytes = i % 5 == 0 ? 0 : 16 + i % 100;
    uint8_t* block;
    failures += !JemallocAllocator::AllocateAligned(bytes, 64, &block).ok();
    allocated(bytes);
    // Grows, shrinks to nothing, or fails.
    const int64_t wanted[] = {bytes + 1000, 0, kTooMuch + 1};
    if (i % 7 < 3) {
      const int64_t next_bytes = wanted[i % 7];
      if (JemallocAllocator::ReallocateAligned(bytes, next_bytes, 64, &block).ok()) {
        freed(bytes);
        allocated(next_bytes);
        bytes = next_bytes;
      } else {
        ++failures;
      }
    }
    uint8_t* none;
    failures += !JemallocAllocator::AllocateAligned(kTooMuch + 1, 64, &none).ok();
    if (i % 4 != 0) {
      JemallocAllocator::DeallocateAligned(block, bytes, 64);
      freed(bytes);
    }
  }
  return failures == 0;
}

extern "C" void bundled_print_ledger() { ledger_print(&account); }
