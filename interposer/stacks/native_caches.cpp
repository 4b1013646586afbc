#include "interposer/stacks/native_caches.h"

#include "interposer/guest/private_memory.h"

namespace memlens::interposer {

NativeCaches* native_caches = nullptr;

bool make_native_caches() {
  if (__atomic_load_n(&native_caches, __ATOMIC_ACQUIRE) != nullptr) return true;
  auto* made = static_cast<NativeCaches*>(map_pages(sizeof(NativeCaches)));
  if (made == nullptr) return false;
  NativeCaches* none = nullptr;
  if (!__atomic_compare_exchange_n(&native_caches, &none, made, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    unmap_pages(made, sizeof(NativeCaches));
  }
  return true;
}

}  // namespace memlens::interposer
