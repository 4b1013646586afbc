// Memory the program maps itself.
//
// Heap is what is private, anonymous and accessible when it is mapped. Not heap: files, shared
// memory, and PROT_NONE reservations, which cost nothing until they are made accessible. mprotect
// is not watched for that: it cannot tell the first use of a reservation from a page that changes
// its rights for the tenth time, and runtimes that reserve (JIT compilers, collectors) do both all
// day.
//
// A map is recorded with the bytes asked for, an unmap with whole pages, as the kernel takes them.
//
// What MAP_FIXED and MREMAP_FIXED replace is retired after the call has succeeded, unlike a munmap:
// the range is never free between, so no other thread can be given it, and a failed call needs no
// undo. The kernel does not say whether what mremap moved was heap; the reader knows (FORMAT.md,
// "Mappings").
#include <sys/mman.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdint>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/lifecycle/first_look.h"
#include "interposer/loader/next_function.h"
#include "interposer/program/allocator_module.h"
#include "interposer/record/recorder.h"
#include "interposer/record/resident_memory.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace memlens::interposer {
namespace {

using MapFunction = void* (*)(void*, size_t, int, int, int, off_t);

MEMLENS_NEXT<MapFunction> next_mmap("mmap");
MEMLENS_NEXT<MapFunction> next_mmap64("mmap64");
MEMLENS_NEXT<int (*)(void*, size_t)> next_munmap("munmap");
MEMLENS_NEXT<void* (*)(void*, size_t, size_t, int, ...)> next_mremap("mremap");

size_t page_bytes = 4096;

__attribute__((constructor)) void find_page_bytes() {
  page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

inline size_t whole_pages(size_t bytes) { return (bytes + page_bytes - 1) & ~(page_bytes - 1); }

inline bool is_heap(int protection, int flags) {
  return (flags & MAP_ANONYMOUS) != 0 && (flags & MAP_TYPE) == MAP_PRIVATE &&
         protection != PROT_NONE;
}

// Ready only here, and not for what an allocator maps for itself: it may hold its locks.
inline void* record_mmap(void* mapped, size_t bytes, int protection, int flags) {
  if (mapped == MAP_FAILED) return mapped;
  be_ready();
  if ((flags & MAP_FIXED) != 0) record_unmap(mapped, whole_pages(bytes));
  if (is_heap(protection, flags)) {
    record_map(AllocationKind::kMmap, mapped, bytes);
    note_mapping(bytes);
  }
  return mapped;
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

MEMLENS_HOOK void* mmap(void* address, size_t bytes, int protection, int flags, int fd,
                        off_t offset) {
  HookScope scope;
  void* mapped = next_mmap.get()(address, bytes, protection, flags, fd, offset);
  if (!scope.outermost() || maps_for_allocator(__builtin_return_address(0))) return mapped;
  return record_mmap(mapped, bytes, protection, flags);
}

MEMLENS_HOOK void* mmap64(void* address, size_t bytes, int protection, int flags, int fd,
                          off64_t offset) {
  HookScope scope;
  void* mapped = next_mmap64.get()(address, bytes, protection, flags, fd, offset);
  if (!scope.outermost() || maps_for_allocator(__builtin_return_address(0))) return mapped;
  return record_mmap(mapped, bytes, protection, flags);
}

MEMLENS_HOOK int munmap(void* address, size_t bytes) {
  HookScope scope;
  if (!scope.outermost() || bytes == 0 || maps_for_allocator(__builtin_return_address(0))) {
    return next_munmap.get()(address, bytes);
  }
  be_ready();
  record_unmap(address, whole_pages(bytes));
  const int status = next_munmap.get()(address, bytes);
  if (status != 0) record_undo();
  return status;
}

MEMLENS_HOOK void* mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...) {
  void* wanted = nullptr;
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    wanted = va_arg(arguments, void*);
    va_end(arguments);
  }
  HookScope scope;
  // Of no old bytes it makes a second view of shared memory, which is not heap.
  const bool record =
      scope.outermost() && old_bytes != 0 && !maps_for_allocator(__builtin_return_address(0));
  if (!record) return next_mremap.get()(address, old_bytes, new_bytes, flags, wanted);
  be_ready();
  record_unmap(address, whole_pages(old_bytes));
  void* moved = next_mremap.get()(address, old_bytes, new_bytes, flags, wanted);
  if (moved == MAP_FAILED) {
    record_undo();
    return moved;
  }
  record_map(AllocationKind::kMremap, moved, new_bytes);
  // The old range stays, as fresh zero pages.
  if ((flags & MREMAP_DONTUNMAP) != 0) record_map(AllocationKind::kMremap, address, old_bytes);
  return moved;
}
