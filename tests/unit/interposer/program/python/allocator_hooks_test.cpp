#include "interposer/program/python/allocator_hooks.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "interposer/python/runtime.h"
#include "interposer/record/recorder.h"

using namespace memlens::interposer;
using namespace memlens::interposer::python;

// ---- a recorder that keeps what it is told
namespace {
std::vector<std::string> events;
}
namespace memlens::interposer {
void record_allocation(AllocationKind kind, const void*, size_t bytes) {
  events.push_back(std::string(memlens::format::allocation_kind_name(kind)) + " " +
                   std::to_string(bytes));
}
void record_free(const void*) { events.push_back("free"); }
void record_undo() { events.push_back("undo"); }
uint64_t draw_sample(size_t) { return 0; }
void record_sample(AllocationKind, const void*, size_t, uint64_t) {}
}  // namespace memlens::interposer

namespace {

// ---- an interpreter's domains, served by malloc
void* plain_malloc(void*, size_t bytes) { return std::malloc(bytes == 0 ? 1 : bytes); }
void* plain_calloc(void*, size_t count, size_t bytes) { return std::calloc(count, bytes); }
void* plain_realloc(void*, void* block, size_t bytes) {
  return bytes > 1u << 30 ? nullptr : std::realloc(block, bytes);
}
void plain_free(void*, void* block) { std::free(block); }
constexpr Allocator kPlain{nullptr, plain_malloc, plain_calloc, plain_realloc, plain_free};

Allocator domains[3] = {kPlain, kPlain, kPlain};
void get_allocator(int domain, Allocator* allocator) { *allocator = domains[domain]; }
void set_allocator(int domain, Allocator* allocator) { domains[domain] = *allocator; }

// ---- a debug allocator: pads each block, and calls what was there before
Allocator below_debug;
constexpr size_t kPad = 16;
void* debug_malloc(void*, size_t bytes) {
  auto* block = static_cast<char*>(below_debug.malloc(below_debug.context, bytes + 2 * kPad));
  return block + kPad;
}
void* debug_calloc(void* context, size_t count, size_t bytes) {
  return debug_malloc(context, count * bytes);
}
void* debug_realloc(void*, void* block, size_t bytes) {
  auto* old_block = block == nullptr ? nullptr : static_cast<char*>(block) - kPad;
  auto* moved =
      static_cast<char*>(below_debug.realloc(below_debug.context, old_block, bytes + 2 * kPad));
  return moved == nullptr ? nullptr : moved + kPad;
}
void debug_free(void*, void* block) {
  if (block != nullptr) below_debug.free(below_debug.context, static_cast<char*>(block) - kPad);
}
int debug_context;
constexpr Allocator kDebug{&debug_context, debug_malloc, debug_calloc, debug_realloc, debug_free};

void* object_malloc(size_t bytes) { return domains[2].malloc(domains[2].context, bytes); }
void* object_realloc(void* block, size_t bytes) {
  return domains[2].realloc(domains[2].context, block, bytes);
}
void object_free(void* block) { domains[2].free(domains[2].context, block); }

using Events = std::vector<std::string>;
Events taken() { return std::exchange(events, {}); }

}  // namespace

// One test: the layers are the process's, and are used up in its course.
TEST_CASE("allocator hooks") {
  runtime.get_allocator = get_allocator;
  runtime.set_allocator = set_allocator;
  REQUIRE(install_allocator_hooks());

  // The plain case.
  void* block = object_malloc(100);
  block = object_realloc(block, 200);
  object_free(block);
  object_free(nullptr);
  CHECK(taken() == Events{"PyObject_Malloc 100", "free", "PyObject_Realloc 200", "free"});
  block = domains[1].calloc(domains[1].context, 3, 7);
  domains[1].free(domains[1].context, block);
  CHECK(taken() == Events{"PyMem_Calloc 21", "free"});
  CHECK((domains[0].malloc == plain_malloc));  // RAW is malloc's business

  // A realloc that fails leaves the block alive.
  block = object_malloc(100);
  CHECK(object_realloc(block, size_t{1} << 40) == nullptr);
  object_free(block);
  CHECK(taken() == Events{"PyObject_Malloc 100", "free", "undo", "free"});

  // Once more changes nothing.
  const Allocator hooked = domains[2];
  REQUIRE(install_allocator_hooks());
  CHECK((domains[2].malloc == hooked.malloc));

  // Replaced in pre-initialisation: ours are gone, and come back on top.
  domains[2] = kPlain;
  object_free(object_malloc(10));
  CHECK(taken().empty());
  REQUIRE(install_allocator_hooks());
  object_free(object_malloc(10));
  CHECK(taken() == Events{"PyObject_Malloc 10", "free"});

  // Wrapped: ours are below and above a debug allocator. Each block counts once, unpadded.
  below_debug = domains[2];
  domains[2] = kDebug;
  REQUIRE(install_allocator_hooks());
  CHECK(domains[2].context == &debug_context);  // a torn read of the struct does no harm
  block = object_malloc(50);
  block = object_realloc(block, 60);
  object_free(block);
  CHECK(taken() == Events{"PyObject_Malloc 50", "free", "PyObject_Realloc 60", "free"});

  // Unwrapped again: the lower ones go on.
  domains[2] = below_debug;
  REQUIRE(install_allocator_hooks());
  object_free(object_malloc(5));
  CHECK(taken() == Events{"PyObject_Malloc 5", "free"});

  // Replaced for ever: it ends, and says so.
  bool installed = true;
  int rounds = 0;
  for (; installed && rounds < 100; ++rounds) {
    domains[2] = kPlain;
    installed = install_allocator_hooks();
  }
  CHECK_FALSE(installed);
  CHECK(rounds < 10);
  object_free(object_malloc(5));
  CHECK(taken().empty());
  runtime = Runtime{};
}
