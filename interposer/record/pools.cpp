#include "interposer/record/pools.h"

#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/guest/private_lock.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/session/process.h"

namespace memlens::interposer {
namespace {

// A pool's word: the session's number (24 bits), the number of the name, the pool's own. Zero in a
// pool that nobody has used.
constexpr unsigned kSessionShift = 40;
constexpr unsigned kNameShift = 32;

uint64_t session_tag() { return uint64_t{process.session} << kSessionShift; }

PoolIdentity identity_in(uint64_t word) {
  const auto name = static_cast<unsigned>(word >> kNameShift & 0xff) % kPoolNames;
  return {static_cast<uint32_t>(word), static_cast<format::AllocationKind>(kFirstPoolKind + name)};
}

bool is_of_session(uint64_t word) {
  return word >> kSessionShift << kSessionShift == session_tag() &&
         static_cast<uint32_t>(word) != 0;
}

constexpr char kPrefix[] = "pool ";
constexpr size_t kMaxHeapNameBytes = sizeof kPrefix + sizeof Pool::name;

PrivateLock lock;
char names[kPoolNames][kMaxHeapNameBytes];  // those of the session
unsigned name_count = 0;
std::atomic<uint32_t> last_number{0};

void forget_pools() {
  lock.reset();
  name_count = 0;
  last_number.store(0, std::memory_order_relaxed);
}

__attribute__((constructor)) void register_for_sessions() { at_new_session(forget_pools); }

void heap_name(const Pool& pool, char (&name)[kMaxHeapNameBytes]) {
  std::memset(name, 0, sizeof name);
  std::memcpy(name, kPrefix, sizeof kPrefix - 1);
  const size_t bytes = strnlen(pool.name, sizeof pool.name);
  for (size_t i = 0; i < bytes; ++i) {
    const char c = pool.name[i];
    const bool is_control = static_cast<unsigned char>(c) < ' ' || c == '\x7f';
    name[sizeof kPrefix - 1 + i] = is_control ? '?' : c;
  }
  if (bytes == 0) std::strcpy(name + sizeof kPrefix - 1, "without a name");
}

// The lock is held.
unsigned name_number(const Pool& pool) {
  char name[kMaxHeapNameBytes];
  heap_name(pool, name);
  for (unsigned i = 0; i < name_count; ++i) {
    if (std::strcmp(names[i], name) == 0) return i;
  }
  if (name_count == kPoolNames) return kPoolNames - 1;
  const unsigned number = name_count++;
  if (number == kPoolNames - 1) std::strcpy(name, "other pools");
  std::strcpy(names[number], name);
  define_heap(kFirstPoolHeap + number, format::HeapFamily::kMalloc, name);
  // A report says "via pool particles".
  define_heap_function(static_cast<format::AllocationKind>(kFirstPoolKind + number),
                       kFirstPoolHeap + number, name);
  return number;
}

}  // namespace

PoolIdentity known_identity(const Pool& pool) {
  const uint64_t word = pool.state.load(std::memory_order_acquire);
  return is_of_session(word) ? identity_in(word) : PoolIdentity{};
}

__attribute__((noinline)) PoolIdentity identity_of(Pool& pool) {
  uint64_t word = pool.state.load(std::memory_order_acquire);
  if (__builtin_expect(is_of_session(word), 1)) return identity_in(word);
  if (!lock.lock(&hook_frame)) return {};
  const unsigned name = name_number(pool);
  lock.unlock();
  const uint64_t made = session_tag() | uint64_t{name} << kNameShift |
                        (last_number.fetch_add(1, std::memory_order_relaxed) + 1);
  pool.samples.store(0, std::memory_order_relaxed);
  // Another thread may have made it this session's meanwhile.
  if (!pool.state.compare_exchange_strong(word, made, std::memory_order_acq_rel) &&
      is_of_session(word)) {
    return identity_in(word);
  }
  return identity_in(made);
}

}  // namespace memlens::interposer
