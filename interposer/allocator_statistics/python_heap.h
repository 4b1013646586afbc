// CPython's allocator of small objects (pymalloc), asked by the function behind
// sys._debugmallocstats(): its arenas, and what of them is in no object.
#pragma once

#include <cstdint>

#include "interposer/allocator_statistics/told_text.h"
#include "interposer/format/allocator_statistics.h"

namespace memlens::interposer::python_heap {

// In a copy of the process: it walks all pools, whoever is in the midst of changing them, and needs
// from 3.12 on that the calling thread is the interpreter's.
bool ask(format::AllocatorStatistics& statistics);

// Called before that, in the copy: who has put functions of its own above pymalloc takes them off,
// as it tells nothing where they are.
extern void (*before_asking)();

// What that prints. Apart for tests.
class StatsText {
 public:
  void add(const char* text, uint64_t bytes);
  // False: that is not what it prints.
  bool result(format::AllocatorStatistics& statistics) const;

 private:
  void take_line(const char* line);

  LineBuffer lines_;
  bool told_blocks_ = false;
  format::AllocatorStatistics sum_;
};

}  // namespace memlens::interposer::python_heap
