#include "interposer/stacks/native_caches.h"

#include "interposer/guest/private_memory.h"

namespace memlens::interposer {

std::atomic<NativeCaches*> made_native_caches{nullptr};

bool make_native_caches() {
  if (native_caches() != nullptr) return true;
  auto* made = static_cast<NativeCaches*>(map_pages(sizeof(NativeCaches)));
  if (made == nullptr) return false;
  NativeCaches* none = nullptr;
  if (!made_native_caches.compare_exchange_strong(none, made, std::memory_order_acq_rel)) {
    unmap_pages(made, sizeof(NativeCaches));
  }
  return true;
}

}  // namespace memlens::interposer
