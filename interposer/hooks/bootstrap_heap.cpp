#include "interposer/hooks/bootstrap_heap.h"

#include <atomic>
#include <cstdint>

namespace memlens::interposer {
namespace {

constexpr size_t kHeapBytes = 64 * 1024;
alignas(64) char heap[kHeapBytes];
std::atomic<size_t> used{0};

struct Header {
  size_t bytes;
  size_t padding;
};

}  // namespace

void* bootstrap_allocate(size_t bytes, size_t alignment) {
  if (bytes > kHeapBytes || alignment > kHeapBytes) return nullptr;
  const size_t needed = sizeof(Header) + alignment + ((bytes + 15) & ~size_t{15});
  const size_t offset = used.fetch_add(needed);
  if (offset + needed > kHeapBytes) return nullptr;
  auto address = reinterpret_cast<uintptr_t>(heap) + offset + sizeof(Header);
  address = (address + alignment - 1) & ~(alignment - 1);
  auto* block = reinterpret_cast<char*>(address);
  reinterpret_cast<Header*>(block - sizeof(Header))->bytes = bytes;
  return block;
}

bool is_bootstrap(const void* block) { return block >= heap && block < heap + kHeapBytes; }

size_t bootstrap_size(const void* block) {
  return reinterpret_cast<const Header*>(static_cast<const char*>(block) - sizeof(Header))->bytes;
}

}  // namespace memlens::interposer
