// glibc's malloc, asked by malloc_info.
//
// Why not mallinfo2: it does not say in what pieces the free memory lies, so not whether a page of
// it could be given back, nor how many arenas there are; and before glibc 2.33 there is only
// mallinfo, whose numbers are of 32 bits. malloc_info takes each arena's lock in turn, as mallinfo2
// does, walks its lists of free pieces, and prints.
#pragma once

#include <cstdint>

#include "interposer/allocator_statistics/told_text.h"
#include "interposer/format/allocator_statistics.h"

namespace memlens::interposer::glibc_heap {

// Where the program's malloc is libc's, in a copy of the process: it may hang for good, or abort.
// Walks lists as long as the number of free pieces.
bool ask(format::AllocatorStatistics& statistics);

// What malloc_info prints. Apart for tests.
class InfoText {
 public:
  void add(const char* text, uint64_t bytes);
  // False: it was not complete.
  bool result(format::AllocatorStatistics& statistics) const;

 private:
  void take_line(const char* line);
  void take_bin(uint64_t from, uint64_t to, uint64_t total, uint64_t count);
  void end_heap();

  LineBuffer lines_;
  bool complete_ = false;
  bool in_heap_ = false;

  uint64_t heaps_ = 0;
  // Of the heap at hand.
  uint64_t in_bins_ = 0;
  uint64_t flags_ = 0;  // in the sizes of these
  uint64_t whole_pages_ = 0;
  uint64_t rest_ = 0;
  uint64_t fast_ = 0;
  uint64_t held_ = 0;

  format::AllocatorStatistics sum_;
};

}  // namespace memlens::interposer::glibc_heap
