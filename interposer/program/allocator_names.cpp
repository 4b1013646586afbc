#include "interposer/program/allocator_names.h"

#include <cstring>

namespace memlens::interposer {
namespace {

struct KnownFunction {
  const char* end;  // of the name
  AllocatorFunction function;
};

constexpr BundledAllocator kMi = BundledAllocator::kMimalloc;
constexpr BundledAllocator kJe = BundledAllocator::kJemalloc;
constexpr BundledAllocator kTc = BundledAllocator::kTcmalloc;
constexpr BundledAllocator kRp = BundledAllocator::kRpmalloc;
constexpr BundledAllocator kTbb = BundledAllocator::kTbbmalloc;

constexpr KnownFunction kFunctions[] = {
    {"mi_malloc", {kMi, CallShape::kBytes}},
    {"mi_zalloc", {kMi, CallShape::kBytes}},
    {"mi_malloc_small", {kMi, CallShape::kBytes}},
    {"mi_zalloc_small", {kMi, CallShape::kBytes}},
    {"mi_valloc", {kMi, CallShape::kBytes}},
    {"mi_pvalloc", {kMi, CallShape::kBytes}},
    {"mi_new", {kMi, CallShape::kBytes}},
    {"mi_new_nothrow", {kMi, CallShape::kBytes}},
    {"mi_calloc", {kMi, CallShape::kCountBytes}},
    {"mi_mallocn", {kMi, CallShape::kCountBytes}},
    {"mi_new_n", {kMi, CallShape::kCountBytes}},
    {"mi_malloc_aligned", {kMi, CallShape::kBytesAlignment}},
    {"mi_zalloc_aligned", {kMi, CallShape::kBytesAlignment}},
    {"mi_new_aligned", {kMi, CallShape::kBytesAlignment}},
    {"mi_new_aligned_nothrow", {kMi, CallShape::kBytesAlignment}},
    {"mi_memalign", {kMi, CallShape::kAlignmentBytes}},
    {"mi_aligned_alloc", {kMi, CallShape::kAlignmentBytes}},
    {"mi_calloc_aligned", {kMi, CallShape::kCountBytesAlignment}},
    {"mi_realloc", {kMi, CallShape::kBlockBytes}},
    {"mi_rezalloc", {kMi, CallShape::kBlockBytes}},
    {"mi_new_realloc", {kMi, CallShape::kBlockBytes}},
    {"mi_reallocn", {kMi, CallShape::kBlockCountBytes}},
    {"mi_reallocarray", {kMi, CallShape::kBlockCountBytes}},
    {"mi_recalloc", {kMi, CallShape::kBlockCountBytes}},
    {"mi_new_reallocn", {kMi, CallShape::kBlockCountBytes}},
    {"mi_realloc_aligned", {kMi, CallShape::kBlockBytesAlignment}},
    {"mi_rezalloc_aligned", {kMi, CallShape::kBlockBytesAlignment}},
    {"mi_posix_memalign", {kMi, CallShape::kPosixMemalign}},
    {"mi_free", {kMi, CallShape::kFree}},
    {"mi_cfree", {kMi, CallShape::kFree}},
    {"mi_free_size", {kMi, CallShape::kFreeBytes}},
    {"mi_free_aligned", {kMi, CallShape::kFreeBytes}},
    {"mi_free_size_aligned", {kMi, CallShape::kFreeBytesAlignment}},

    {"tc_malloc", {kTc, CallShape::kBytes}},
    {"tc_valloc", {kTc, CallShape::kBytes}},
    {"tc_pvalloc", {kTc, CallShape::kBytes}},
    {"tc_new", {kTc, CallShape::kBytes}},
    {"tc_newarray", {kTc, CallShape::kBytes}},
    {"tc_calloc", {kTc, CallShape::kCountBytes}},
    {"tc_memalign", {kTc, CallShape::kAlignmentBytes}},
    {"tc_realloc", {kTc, CallShape::kBlockBytes}},
    {"tc_posix_memalign", {kTc, CallShape::kPosixMemalign}},
    {"tc_free", {kTc, CallShape::kFree}},
    {"tc_cfree", {kTc, CallShape::kFree}},
    {"tc_delete", {kTc, CallShape::kFree}},
    {"tc_deletearray", {kTc, CallShape::kFree}},
    {"tc_free_sized", {kTc, CallShape::kFreeBytes}},
    {"tc_delete_sized", {kTc, CallShape::kFreeBytes}},
    {"tc_deletearray_sized", {kTc, CallShape::kFreeBytes}},

    {"rpmalloc", {kRp, CallShape::kBytes}},
    {"rpcalloc", {kRp, CallShape::kCountBytes}},
    {"rprealloc", {kRp, CallShape::kBlockBytes}},
    {"rpaligned_alloc", {kRp, CallShape::kAlignmentBytes}},
    {"rpmemalign", {kRp, CallShape::kAlignmentBytes}},
    {"rpposix_memalign", {kRp, CallShape::kPosixMemalign}},
    {"rpfree", {kRp, CallShape::kFree}},

    {"scalable_malloc", {kTbb, CallShape::kBytes}},
    {"scalable_calloc", {kTbb, CallShape::kCountBytes}},
    {"scalable_realloc", {kTbb, CallShape::kBlockBytes}},
    {"scalable_posix_memalign", {kTbb, CallShape::kPosixMemalign}},
    {"scalable_aligned_malloc", {kTbb, CallShape::kBytesAlignment}},
    {"scalable_aligned_realloc", {kTbb, CallShape::kBlockBytesAlignment}},
    {"scalable_free", {kTbb, CallShape::kFree}},
    {"scalable_aligned_free", {kTbb, CallShape::kFree}},
};

// jemalloc's own have libc's names behind a prefix, which alone tells them from others' wrappers.
constexpr const char* kJemallocPrefixes[] = {"je_", "_rjem_", "__rjem_"};
constexpr KnownFunction kJemallocFunctions[] = {
    {"malloc", {kJe, CallShape::kBytes}},
    {"valloc", {kJe, CallShape::kBytes}},
    {"pvalloc", {kJe, CallShape::kBytes}},
    {"calloc", {kJe, CallShape::kCountBytes}},
    {"aligned_alloc", {kJe, CallShape::kAlignmentBytes}},
    {"memalign", {kJe, CallShape::kAlignmentBytes}},
    {"realloc", {kJe, CallShape::kBlockBytes}},
    {"posix_memalign", {kJe, CallShape::kPosixMemalign}},
    {"mallocx", {kJe, CallShape::kMallocx}},
    {"rallocx", {kJe, CallShape::kRallocx}},
    {"xallocx", {kJe, CallShape::kXallocx}},
    {"free", {kJe, CallShape::kFree}},
    {"free_sized", {kJe, CallShape::kFreeBytes}},
    {"dallocx", {kJe, CallShape::kFreeBytes}},
    {"sdallocx", {kJe, CallShape::kFreeBytesAlignment}},
    {"free_aligned_sized", {kJe, CallShape::kFreeBytesAlignment}},
};

// Arrow's pools are static methods of classes, which it exports and calls through slots, also where
// the allocator behind them is hidden. They call it directly.
constexpr KnownFunction kMethods[] = {
    {"17JemallocAllocator15AllocateAlignedEllPPh",
     {kJe, CallShape::kArrowAllocate, "JemallocAllocator::AllocateAligned"}},
    {"17JemallocAllocator17ReallocateAlignedElllPPh",
     {kJe, CallShape::kArrowReallocate, "JemallocAllocator::ReallocateAligned"}},
    {"17JemallocAllocator17DeallocateAlignedEPhll", {kJe, CallShape::kArrowFree}},
};

bool ends_with(const char* name, size_t bytes, const char* end, size_t& prefix_bytes) {
  const size_t end_bytes = std::strlen(end);
  if (end_bytes > bytes || std::memcmp(name + bytes - end_bytes, end, end_bytes) != 0) return false;
  prefix_bytes = bytes - end_bytes;
  return true;
}

bool find_jemalloc_function(const char* name, size_t bytes, AllocatorFunction& found) {
  for (const char* prefix : kJemallocPrefixes) {
    for (const KnownFunction& known : kJemallocFunctions) {
      size_t before = 0;
      if (!ends_with(name, bytes, known.end, before) || before != std::strlen(prefix)) continue;
      if (std::memcmp(name, prefix, before) != 0) continue;
      found = known.function;
      return true;
    }
  }
  return false;
}

bool find_method(const char* name, size_t bytes, AllocatorFunction& found) {
  for (const KnownFunction& known : kMethods) {
    size_t before = 0;
    if (!ends_with(name, bytes, known.end, before)) continue;
    found = known.function;
    return true;
  }
  return false;
}

}  // namespace

const char* allocator_name(BundledAllocator allocator) {
  constexpr const char* kNames[kBundledAllocators] = {"mimalloc", "jemalloc",  "tcmalloc",
                                                      "rpmalloc", "tbbmalloc", "malloc"};
  return kNames[static_cast<unsigned>(allocator)];
}

bool find_plain_function(const char* name, AllocatorFunction& found) {
  for (const KnownFunction& known : kJemallocFunctions) {
    if (std::strcmp(name, known.end) != 0) continue;
    found = {BundledAllocator::kMalloc, known.function.shape};
    return true;
  }
  return false;
}

bool is_principal(const char* name) {
  size_t before = 0;
  const size_t bytes = std::strlen(name);
  return ends_with(name, bytes, "malloc", before) || ends_with(name, bytes, "mallocx", before) ||
         ends_with(name, bytes, "malloc_aligned", before) ||
         ends_with(name, bytes, "15AllocateAlignedEllPPh", before);
}

bool find_allocator_function(const char* name, AllocatorFunction& found) {
  const size_t bytes = std::strlen(name);
  constexpr const char* kMangled = "_ZN";
  if (std::strncmp(name, kMangled, 3) == 0) return find_method(name, bytes, found);
  if (find_jemalloc_function(name, bytes, found)) return true;
  for (const KnownFunction& known : kFunctions) {
    size_t before = 0;
    if (!ends_with(name, bytes, known.end, before)) continue;
    // `_mi_malloc` and the like are an allocator's inner ones, with arguments of their own.
    if (before != 0 && (before == 1 || name[before - 1] != '_')) continue;
    found = known.function;
    return true;
  }
  return false;
}

bool may_name_allocator(const char* names, size_t bytes) {
  // One pass: every allocator has some function whose name ends so.
  constexpr const char* kMalloc = "malloc";
  constexpr size_t kMallocBytes = 6;
  const char* const end = names + bytes;
  for (const char* at = names; at < end; at += kMallocBytes) {
    at = static_cast<const char*>(memmem(at, static_cast<size_t>(end - at), kMalloc, kMallocBytes));
    if (at == nullptr) return false;
    const auto before = static_cast<size_t>(at - names);
    if (before == 0) continue;
    const char last = at[-1];
    if (last == '_' && before >= 3 &&
        (std::memcmp(at - 3, "mi_", 3) == 0 || std::memcmp(at - 3, "je_", 3) == 0 ||
         std::memcmp(at - 3, "em_", 3) == 0 || std::memcmp(at - 3, "tc_", 3) == 0 ||
         std::memcmp(at - 3, "le_", 3) == 0)) {
      return true;
    }
    if (last == 'p') return true;                                  // rpmalloc
    if (last == 'e' && before >= 2 && at[-2] == 'J') return true;  // JemallocAllocator
  }
  return false;
}

}  // namespace memlens::interposer
