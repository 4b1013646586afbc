#include "interposer/program/registered_heaps.h"

#include <cstring>

#include "interposer/definitions/definitions.h"
#include "interposer/format/heap.h"
#include "interposer/loader/base_name.h"
#include "interposer/record/pools.h"

namespace memlens::interposer {
namespace {

constexpr unsigned kMaxHeaps = 32;
constexpr unsigned kMaxFunctions = kFirstPoolKind - format::kFirstRegisteredKind;
static_assert(format::kFirstRegisteredHeap + kMaxHeaps <= kFirstPoolHeap);
constexpr size_t kMaxNameBytes = 96;

struct HeapName {
  char text[kMaxNameBytes];
};
struct FunctionName {
  unsigned heap;
  char text[kMaxNameBytes];
};
HeapName heaps[kMaxHeaps];
FunctionName functions[kMaxFunctions];
unsigned heap_count = 0;
unsigned function_count = 0;

void copy_name(char (&to)[kMaxNameBytes], const char* from) {
  size_t bytes = std::strlen(from);
  if (bytes >= kMaxNameBytes) bytes = kMaxNameBytes - 1;
  std::memcpy(to, from, bytes);
  to[bytes] = '\0';
}

format::AllocationKind kind_of(unsigned function) {
  return static_cast<format::AllocationKind>(format::kFirstRegisteredKind + function);
}

void describe_heap(unsigned heap) {
  define_heap(format::kFirstRegisteredHeap + heap, format::HeapFamily::kMalloc, heaps[heap].text);
}
void describe_function(unsigned function) {
  define_heap_function(kind_of(function), format::kFirstRegisteredHeap + functions[function].heap,
                       functions[function].text);
}

}  // namespace

bool can_register_functions(size_t count) {
  return function_count + count <= kMaxFunctions && heap_count + kBundledAllocators <= kMaxHeaps;
}

unsigned register_heap(BundledAllocator allocator, const char* path) {
  char name[kMaxNameBytes];
  copy_name(name, allocator_name(allocator));
  constexpr const char* kIn = " in ";
  size_t bytes = std::strlen(name);
  for (const char* part : {kIn, base_name(path)}) {
    for (; *part != '\0' && bytes + 1 < kMaxNameBytes; ++part) name[bytes++] = *part;
  }
  name[bytes] = '\0';
  for (unsigned i = 0; i < heap_count; ++i) {
    if (std::strcmp(heaps[i].text, name) == 0) return i;
  }
  copy_name(heaps[heap_count].text, name);
  describe_heap(heap_count);
  return heap_count++;
}

format::AllocationKind register_function(unsigned heap, const char* name) {
  for (unsigned i = 0; i < function_count; ++i) {
    if (functions[i].heap == heap && std::strncmp(functions[i].text, name, kMaxNameBytes - 1) == 0)
      return kind_of(i);
  }
  functions[function_count].heap = heap;
  copy_name(functions[function_count].text, name);
  describe_function(function_count);
  return kind_of(function_count++);
}

void describe_registered_heaps() {
  for (unsigned i = 0; i < heap_count; ++i) describe_heap(i);
  for (unsigned i = 0; i < function_count; ++i) describe_function(i);
}

}  // namespace memlens::interposer
