#include "interposer/stacks/family_rules.h"

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "interposer/loader/loader_list.h"
#include "interposer/loader/native_code_generation.h"
#include "interposer/platform/system_call.h"
#include "interposer/session/process.h"
#include "interposer/stacks/native_caches.h"

namespace memlens::interposer::unwind::family_rules {
namespace {

// Of more, the first ones.
constexpr uint32_t kMaxObjects = 510;

// In memory shared by the family.
struct Family {
  // Written by who makes it, before it has a child.
  uint32_t generation;
  uint32_t object_count;
  uintptr_t load_biases[kMaxObjects];  // sorted

  RuleCache rules;  // of any generation: the family has one
};

// A child that has found so many here does not end soon.
constexpr uint32_t kFindsOfShortLives = 8192;

std::atomic<Family*> family{nullptr};
int32_t maker = 0;
// The same in a child, and nullptr in who made it: that one keeps its rules to itself.
std::atomic<Family*> own_family{nullptr};
std::atomic<uint32_t> finds{0};

bool list_object(const LoadedObject& object, void* argument) {
  auto& made = *static_cast<Family*>(argument);
  if (made.object_count == kMaxObjects) return true;
  made.load_biases[made.object_count++] = object.load_bias;
  return false;
}

void new_session() {
  Family* known = family.load(std::memory_order_relaxed);
  if (known == nullptr || system_call::process_id() == maker) return;
  own_family.store(known, std::memory_order_relaxed);
  finds.store(0, std::memory_order_relaxed);
}
__attribute__((constructor)) void register_for_sessions() { at_new_session(new_session); }

}  // namespace

void prepare() {
  if (family.load(std::memory_order_acquire) != nullptr || native_caches() == nullptr) {
    return;
  }
  const int saved_errno = errno;
  void* pages = system_call::map(nullptr, sizeof(Family), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  errno = saved_errno;
  if (pages == MAP_FAILED) return;
  auto* made = static_cast<Family*>(pages);
  made->generation = native_code_generation.load(std::memory_order_acquire);
  for_each_loaded_object(list_object, made);
  std::sort(made->load_biases, made->load_biases + made->object_count);
  // Two threads may fork at once: the first is everyone's.
  Family* none = nullptr;
  maker = system_call::process_id();
  if (!family.compare_exchange_strong(none, made)) system_call::unmap(pages, sizeof(Family));
}

bool has_object(uintptr_t load_bias, uint32_t generation) {
  const Family* own = own_family.load(std::memory_order_relaxed);
  return own != nullptr && own->generation == generation &&
         std::binary_search(own->load_biases, own->load_biases + own->object_count, load_bias);
}

bool find(uintptr_t address, UnwindRule& rule, bool& keep) {
  const Family* own = own_family.load(std::memory_order_relaxed);
  if (!own->rules.find(address, 0, rule)) return false;
  keep = finds.fetch_add(1, std::memory_order_relaxed) >= kFindsOfShortLives;
  return true;
}

void insert(uintptr_t address, UnwindRule rule) {
  own_family.load(std::memory_order_relaxed)->rules.insert(address, 0, rule);
}

}  // namespace memlens::interposer::unwind::family_rules
