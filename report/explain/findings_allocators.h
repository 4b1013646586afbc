// What allocators said of themselves, for the rules about RSS.
#pragma once

#include <optional>
#include <string>

#include "report/explain/findings.h"

namespace memlens::report {

// An allocator that holds free what the program does not use, in words.
struct HeldFree {
  uint64_t bytes = 0;
  std::string text;  // sentences: whose it is, whether it would be given back, and how
};

// Memory that was freed after the peak and kept.
struct KeptMemory {
  double seconds = 0;       // when that was seen
  double near_seconds = 0;  // what was said further away from then does not count
  uint64_t bytes = 0;
  uint64_t no_block = 0;  // in memory then, and in no block: with what was so at the peak
};

// Who holds it, where the allocators' own numbers say who.
std::optional<HeldFree> find_holder(const Evidence& evidence, const KeptMemory& kept);

// Free in allocators that tell, at about that moment; 0: not known.
uint64_t free_in_allocators(const Evidence& evidence, double seconds, double near_seconds);

// Arenas of threads that hold much, and hardly any of it in blocks.
void find_arenas(const Evidence& evidence, double end_of_use, std::vector<Finding>& findings);

}  // namespace memlens::report
