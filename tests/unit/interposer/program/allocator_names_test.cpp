#include "interposer/program/allocator_names.h"

#include <doctest/doctest.h>

#include <string>

using namespace memlens::interposer;

namespace {

std::string found(const char* name) {
  AllocatorFunction function;
  return find_allocator_function(name, function) ? allocator_name(function.allocator) : "";
}

bool may_name(std::string_view names) { return may_name_allocator(names.data(), names.size()); }

}  // namespace

TEST_CASE("functions of allocators are known with any prefix of the library's") {
  CHECK(found("mi_malloc") == "mimalloc");
  CHECK(found("arrow_mi_malloc_aligned") == "mimalloc");
  CHECK(found("arrow_mi_free") == "mimalloc");
  CHECK(found("je_malloc") == "jemalloc");
  CHECK(found("_rjem_sdallocx") == "jemalloc");
  CHECK(found("tc_posix_memalign") == "tcmalloc");
  CHECK(found("rpfree") == "rpmalloc");
  CHECK(found("scalable_aligned_malloc") == "tbbmalloc");
}

TEST_CASE("inner functions and others' functions are not taken for an allocator's") {
  for (const char* name : {"malloc", "free", "_mi_malloc_generic", "_mi_free", "mi_heap_malloc",
                           "je_arena_malloc", "je_mallctl", "g_malloc", "xmlMalloc", "semi_free",
                           "PyMem_Malloc", "harpfree", "mallocx", ""}) {
    CAPTURE(name);
    CHECK(found(name) == "");
  }
}

TEST_CASE("under libc's names only where they are a library's own") {
  AllocatorFunction function;
  CHECK_FALSE(find_allocator_function("malloc", function));
  REQUIRE(find_plain_function("malloc", function));
  CHECK(std::string(allocator_name(function.allocator)) == "malloc");
  CHECK(find_plain_function("sdallocx", function));
  CHECK_FALSE(find_plain_function("xmalloc", function));
}

TEST_CASE("a function's shape says what it is given") {
  AllocatorFunction function;
  REQUIRE(find_allocator_function("x_mi_realloc_aligned", function));
  CHECK(function.shape == CallShape::kBlockBytesAlignment);
  REQUIRE(find_allocator_function("x_mi_aligned_alloc", function));
  CHECK(function.shape == CallShape::kAlignmentBytes);
  REQUIRE(find_allocator_function("je_xallocx", function));
  CHECK(function.shape == CallShape::kXallocx);
  CHECK(gives_blocks(function.shape));
  REQUIRE(find_allocator_function("je_dallocx", function));
  CHECK_FALSE(gives_blocks(function.shape));
  const std::string class_name = "_ZN5arrow11memory_pool8internal17JemallocAllocator";
  REQUIRE(find_allocator_function((class_name + "15AllocateAlignedEllPPh").c_str(), function));
  CHECK(function.shape == CallShape::kArrowAllocate);
  CHECK(function.shown == std::string("JemallocAllocator::AllocateAligned"));
  CHECK(is_principal((class_name + "15AllocateAlignedEllPPh").c_str()));
  REQUIRE(find_allocator_function((class_name + "17ReallocateAlignedElllPPh").c_str(), function));
  CHECK(gives_blocks(function.shape));
  REQUIRE(find_allocator_function((class_name + "17DeallocateAlignedEPhll").c_str(), function));
  CHECK_FALSE(gives_blocks(function.shape));
  CHECK(found((class_name + "13ReleaseUnusedEv").c_str()) == "");
  CHECK(is_principal("arrow_mi_malloc_aligned"));
  CHECK_FALSE(is_principal("mi_free"));
}

TEST_CASE("objects without such names are passed over at a glance") {
  using namespace std::string_view_literals;
  CHECK_FALSE(may_name(""sv));
  CHECK_FALSE(may_name("\0malloc\0free\0realloc\0xmalloc\0g_malloc\0malloc_usable_size\0"sv));
  CHECK(may_name("\0free\0arrow_mi_malloc_aligned\0"sv));
  CHECK(may_name("\0_rjem_malloc\0"sv));
  CHECK(may_name("\0_ZN5arrow17JemallocAllocator15AllocateAlignedEllPPh\0"sv));
  CHECK(may_name("\0scalable_malloc\0"sv));
  CHECK(may_name("\0rpmalloc\0"sv));
}
