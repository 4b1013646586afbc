// Functions of allocators that libraries bring along, by the names such libraries export.
//
// Usually with a prefix of the library's own (arrow_mi_malloc_aligned, je_arrow_mallocx,
// _rjem_malloc), so names are known by their ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memlens::interposer {

// What a function is given and gives back; names in the order of the arguments.
enum class CallShape : uint8_t {
  kBytes,                // void* (bytes)
  kCountBytes,           // void* (count, bytes)
  kBytesAlignment,       // void* (bytes, alignment)
  kAlignmentBytes,       // void* (alignment, bytes)
  kCountBytesAlignment,  // void* (count, bytes, alignment)
  kBlockBytes,           // void* (block, bytes): realloc
  kBlockCountBytes,      // void* (block, count, bytes)
  kBlockBytesAlignment,  // void* (block, bytes, alignment)
  kPosixMemalign,        // int (void** result, alignment, bytes)
  kMallocx,              // void* (bytes, int flags)
  kRallocx,              // void* (block, bytes, int flags)
  kXallocx,              // size_t (block, bytes, extra, int flags)
  kArrowAllocate,        // Status (bytes, alignment, void** result)
  kArrowReallocate,      // Status (old bytes, bytes, alignment, void** block)
  kFree,                 // void (block)
  kFreeBytes,            // void (block, one more word: bytes, alignment or flags)
  kFreeBytesAlignment,   // void (block, two more words)
  kArrowFree,            // void (block, bytes, alignment)
};
inline constexpr unsigned kCallShapes = 18;

constexpr bool gives_blocks(CallShape shape) { return shape < CallShape::kFree; }

enum class BundledAllocator : uint8_t {
  kMimalloc,
  kJemalloc,
  kTcmalloc,
  kRpmalloc,
  kTbbmalloc,
  kMalloc  // whichever, under libc's names
};
inline constexpr unsigned kBundledAllocators = 6;

const char* allocator_name(BundledAllocator allocator);

struct AllocatorFunction {
  BundledAllocator allocator;
  CallShape shape;
  const char* shown = nullptr;  // for a name that nobody would read
};

// False: an ordinary function.
bool find_allocator_function(const char* name, AllocatorFunction& found);

// The same under the names that libc and jemalloc use. Of a library that was opened later such
// functions are its own: what others call is the program's malloc.
bool find_plain_function(const char* name, AllocatorFunction& found);

// Of a function found: without one such an object does not bring the allocator, only names like it.
bool is_principal(const char* name);

// A quick look at all the names of an object, each ended by NUL: false when none of them can be one
// of an allocator's. Names end in one another, so it may say true of objects that have none.
bool may_name_allocator(const char* names, size_t bytes);

}  // namespace memlens::interposer
