// Python's allocators where blocks are sampled: what the hooks on pymalloc do, and when they are
// put there.
#include "interposer/program/python/pymalloc.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "../../record/sampling/sampling_process.h"
#include "interposer/program/python/allocator_hooks.h"
#include "interposer/record/recorder.h"
#include "interposer/record/sampling/sampled_blocks.h"

using namespace memlens::interposer;
using namespace memlens::interposer::python;

// ---- a recorder that samples, and keeps what it is told
namespace {
std::vector<std::string> events;
}
namespace memlens::interposer {
void record_allocation(AllocationKind, const void*, size_t) { FAIL("not where samples are"); }
uint64_t draw_sample(size_t bytes) { return sampler::count(bytes); }
void record_sample(AllocationKind kind, const void* block, size_t bytes, uint64_t) {
  sampled_blocks::insert(reinterpret_cast<uint64_t>(block), 0);
  events.push_back(std::string(memlens::format::allocation_kind_name(kind)) + " " +
                   std::to_string(bytes));
}
void record_free(const void* block) {
  uint64_t place = 0;
  if (sampled_blocks::remove(reinterpret_cast<uint64_t>(block), place)) events.push_back("free");
}
void record_undo() { events.push_back("undo"); }
namespace python {
Runtime runtime;
}
}  // namespace memlens::interposer

namespace {

// ---- malloc and free, and the hooks of them as far as it matters here
std::vector<size_t> asked_of_malloc;

void* hooked_malloc(size_t bytes) {
  asked_of_malloc.push_back(bytes);
  if (!sampler::passes_unsampled(bytes)) {
    HookScope scope;
    if (!scope.outermost()) {
      sampler::draw_anew();
    } else if (sampler::count(bytes) != 0) {
      events.push_back("malloc " + std::to_string(bytes));
    }
  }
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void hooked_free(void* block) {
  if (sampled_blocks::may_hold(block)) {
    HookScope scope;
    if (scope.outermost()) record_free(block);
  }
  std::free(block);
}

// ---- pymalloc: small blocks from an arena
alignas(16) char arena[1 << 16];
size_t arena_used = 0;
int arenas_mapped_outside_a_hook = 0;

bool is_in_arena(const void* block) { return block >= arena && block < arena + sizeof arena; }

void* small_malloc(void*, size_t bytes) {
  if (bytes > kMaxPymallocBytes) return hooked_malloc(bytes);
  return arena + std::exchange(arena_used, (arena_used + kMaxPymallocBytes) % sizeof arena);
}
void* small_calloc(void*, size_t count, size_t bytes) {
  return small_malloc(nullptr, count * bytes);
}
void* small_realloc(void*, void* block, size_t bytes) {
  if (bytes > 1u << 30) return nullptr;
  if (block != nullptr && !is_in_arena(block)) hooked_free(block);
  return small_malloc(nullptr, bytes);
}
void small_free(void*, void* block) {
  if (block != nullptr && !is_in_arena(block)) hooked_free(block);
}
constexpr Allocator kSmall{nullptr, small_malloc, small_calloc, small_realloc, small_free};

// ---- others
void* plain_malloc(void*, size_t bytes) { return hooked_malloc(bytes); }
void* padding_malloc(void*, size_t bytes) { return small_malloc(nullptr, bytes + 16); }
void plain_free(void*, void* block) { small_free(nullptr, block); }

void* map_arena(void*, size_t) {
  if (hook_frame == 0) ++arenas_mapped_outside_a_hook;
  return nullptr;
}
void unmap_arena(void*, void*, size_t) {}

Allocator domains[3] = {kSmall, kSmall, kSmall};
ArenaAllocator arenas{nullptr, map_arena, unmap_arena};
int initialized = 0;

void* object_malloc(size_t bytes) { return domains[2].malloc(domains[2].context, bytes); }
void* object_realloc(void* block, size_t bytes) {
  return domains[2].realloc(domains[2].context, block, bytes);
}
void object_free(void* block) { domains[2].free(domains[2].context, block); }

using Events = std::vector<std::string>;
Events taken() { return std::exchange(events, {}); }

constexpr uint64_t kNever = uint64_t{1} << 60;
// The next block of that many bytes is a sample.
void sample_next(size_t bytes) {
  sampler::position();  // draws, so that there is an interval
  sample_countdown = bytes;
}

}  // namespace

TEST_CASE("pymalloc is known by what it asks malloc for") {
  start_sampling(kNever, 1);
  HookScope scope;
  CHECK(is_pymalloc(kSmall));
  CHECK_FALSE(is_pymalloc({nullptr, plain_malloc, nullptr, nullptr, plain_free}));
  CHECK_FALSE(is_pymalloc({nullptr, padding_malloc, nullptr, nullptr, plain_free}));
  CHECK(sample_countdown == 0);
  CHECK(taken().empty());
}

// One test: the layers are the process's.
TEST_CASE("hooks on pymalloc") {
  start_sampling(kNever, 1);
  runtime.get_allocator = [](int domain, Allocator* allocator) { *allocator = domains[domain]; };
  runtime.set_allocator = [](int domain, Allocator* allocator) { domains[domain] = *allocator; };
  runtime.get_arena_allocator = [](ArenaAllocator* allocator) { *allocator = arenas; };
  runtime.set_arena_allocator = [](ArenaAllocator* allocator) { arenas = *allocator; };
  runtime.is_initialized = [] { return initialized; };
  REQUIRE(install_allocator_hooks());

  // While Python is coming up, nothing is known of what lies below: frees are hooked. A block that
  // is sampled now is one of malloc's already.
  CHECK((domains[2].free != small_free));
  sample_next(100);
  asked_of_malloc.clear();
  void* early = object_malloc(100);
  CHECK(taken() == Events{"PyObject_Malloc 100"});
  CHECK(asked_of_malloc == std::vector<size_t>{kMaxPymallocBytes + 1});
  CHECK_FALSE(is_in_arena(early));

  // Then it is found out, by the next block that does not pass.
  initialized = 1;
  sampler::draw_anew();
  small_free(nullptr, object_malloc(10));
  CHECK((domains[2].free == small_free));
  CHECK((domains[1].free != small_free));  // each domain on its own
  object_free(early);
  CHECK(taken() == Events{"free"});
  arenas.allocate(arenas.context, 1 << 20);
  CHECK(arenas_mapped_outside_a_hook == 0);
  arenas.allocate(arenas.context, 16 << 10);  // the interpreter's frames
  CHECK(arenas_mapped_outside_a_hook == 1);
  CHECK(hook_frame == 0);

  // Small blocks pass straight through; large ones count once, not again in malloc.
  sample_countdown = 10'000;
  asked_of_malloc.clear();
  object_free(object_malloc(500));
  CHECK(sample_countdown == 9500);
  CHECK(asked_of_malloc.empty());
  object_free(object_malloc(600));
  CHECK(taken().empty());
  sample_next(700);
  void* large = object_malloc(700);
  CHECK(taken() == Events{"PyObject_Malloc 700"});
  object_free(large);
  CHECK(taken() == Events{"free"});
  // What malloc counts for nothing, inside, may end the countdown: nothing is recorded for it.
  sample_countdown = 650;
  object_free(object_malloc(600));
  CHECK(taken().empty());

  // Resized, to small and to large, and the realloc that fails.
  sample_next(40);
  void* block = object_malloc(40);
  CHECK(taken() == Events{"PyObject_Malloc 40"});
  sample_next(50);
  block = object_realloc(block, 50);
  CHECK(taken() == Events{"free", "PyObject_Realloc 50"});
  CHECK_FALSE(is_in_arena(block));
  sample_countdown = kNever;
  block = object_realloc(block, 30);
  CHECK(taken() == Events{"free"});
  CHECK(is_in_arena(block));
  object_free(block);
  CHECK(taken().empty());
  sample_next(60);
  block = domains[2].calloc(domains[2].context, 3, 20);
  CHECK(taken() == Events{"PyObject_Calloc 60"});
  sample_countdown = kNever;
  CHECK(object_realloc(block, size_t{1} << 40) == nullptr);
  CHECK(taken() == Events{"free", "undo"});
  small_free(nullptr, block);

  // Once more changes nothing.
  const Allocator hooked = domains[2];
  REQUIRE(install_allocator_hooks());
  CHECK((domains[2].malloc == hooked.malloc));

  // Under another one's hooks, which come on top before it is known: it stays as it was.
  const Allocator below = domains[1];
  domains[1] = {nullptr, plain_malloc, small_calloc, small_realloc, plain_free};
  sampler::draw_anew();
  below.free(below.context, below.malloc(below.context, 10));
  CHECK((domains[1].malloc == plain_malloc));
  runtime = Runtime{};
}
