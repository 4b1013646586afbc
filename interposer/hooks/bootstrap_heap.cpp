#include "interposer/hooks/bootstrap_heap.h"

#include <atomic>
#include <cstdint>

namespace memlens::interposer {

alignas(64) char bootstrap_heap[kBootstrapHeapBytes];

namespace {

std::atomic<size_t> used{0};

struct Header {
  size_t bytes;
  size_t padding;
};

}  // namespace

void* bootstrap_allocate(size_t bytes, size_t alignment) {
  if (bytes > kBootstrapHeapBytes || alignment > kBootstrapHeapBytes) return nullptr;
  const size_t needed = sizeof(Header) + alignment + ((bytes + 15) & ~size_t{15});
  const size_t offset = used.fetch_add(needed);
  if (offset + needed > kBootstrapHeapBytes) return nullptr;
  auto address = reinterpret_cast<uintptr_t>(bootstrap_heap) + offset + sizeof(Header);
  address = (address + alignment - 1) & ~(alignment - 1);
  auto* block = reinterpret_cast<char*>(address);
  reinterpret_cast<Header*>(block - sizeof(Header))->bytes = bytes;
  return block;
}

void visit_bootstrap_heap(void (*visit)(const void* address)) {
  const size_t end = used.load() < kBootstrapHeapBytes ? used.load() : kBootstrapHeapBytes;
  for (size_t offset = 0; offset < end; offset += 16) visit(bootstrap_heap + offset);
}

size_t bootstrap_size(const void* block) {
  return reinterpret_cast<const Header*>(static_cast<const char*>(block) - sizeof(Header))->bytes;
}

}  // namespace memlens::interposer
