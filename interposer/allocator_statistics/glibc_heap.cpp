#include "interposer/allocator_statistics/glibc_heap.h"

#include <cstdio>
#include <cstring>

#include "interposer/loader/next_definition.h"
#include "interposer/loader/next_function.h"

namespace memlens::interposer::glibc_heap {
namespace {

MEMLENS_NEXT<int (*)(int, FILE*)> next_malloc_info("malloc_info");

// The number in `name="123"`; 0 without.
uint64_t attribute(const char* line, const char* name) {
  const char* at = std::strstr(line, name);
  if (at == nullptr) return 0;
  uint64_t value = 0;
  for (at += std::strlen(name); *at >= '0' && *at <= '9'; ++at) {
    value = value * 10 + static_cast<uint64_t>(*at - '0');
  }
  return value;
}

bool has(const char* line, const char* text) { return std::strstr(line, text) != nullptr; }

// Of a free piece, malloc keeps its own words at both ends, and its pages lie anywhere.
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kKeptOfPiece = kPageBytes + 32;
constexpr uint64_t kSizeStep = 16;
constexpr uint64_t kFlagsEnd = 8;

}  // namespace

bool ask(format::AllocatorStatistics& statistics) {
  if (allocator_object() != nullptr || next_malloc_info.get() == nullptr) return false;
  InfoText text;
  return take_text(text, [](FILE* stream) { return next_malloc_info.known()(0, stream) == 0; }) &&
         text.result(statistics);
}

void InfoText::add(const char* text, uint64_t bytes) {
  lines_.add(text, bytes, [this](const char* line) { take_line(line); });
}

void InfoText::take_line(const char* line) {
  if (has(line, "<heap nr=")) {
    in_heap_ = true;
    in_bins_ = flags_ = whole_pages_ = rest_ = fast_ = held_ = 0;
  } else if (has(line, "</heap>")) {
    end_heap();
  } else if (has(line, "</malloc>")) {
    complete_ = true;
  } else if (has(line, "<size from=") || has(line, "<unsorted from=")) {
    take_bin(attribute(line, "from=\""), attribute(line, "to=\""), attribute(line, "total=\""),
             attribute(line, "count=\""));
  } else if (in_heap_ && has(line, "<total type=\"fast\"")) {
    fast_ = attribute(line, "size=\"");
  } else if (in_heap_ && has(line, "<total type=\"rest\"")) {
    rest_ = attribute(line, "size=\"");
  } else if (in_heap_ && has(line, "<system type=\"current\"")) {
    held_ = attribute(line, "size=\"");
  } else if (!in_heap_ && has(line, "<total type=\"mmap\"")) {
    sum_.mapped = attribute(line, "size=\"");
  }
}

void InfoText::take_bin(uint64_t from, uint64_t to, uint64_t total, uint64_t count) {
  // Bins of one small size each, told as a range of sizes, and which "rest" does not count.
  if (to - from == kSizeStep - 1) return;
  // The others' sizes are told as they stand in the pieces: with flags in the lowest bits.
  const uint64_t flags = count * (from % kFlagsEnd);
  flags_ += flags;
  in_bins_ += total;
  total -= flags < total ? flags : total;
  const uint64_t kept = count * kKeptOfPiece;
  if (total > kept) whole_pages_ += total - kept;
}

void InfoText::end_heap() {
  in_heap_ = false;
  const bool of_threads = heaps_++ != 0;
  // What lies at the end of a heap is in no bin. malloc_trim gives back that of the first alone.
  const uint64_t top = rest_ > in_bins_ ? rest_ - in_bins_ : 0;
  rest_ -= flags_ < rest_ ? flags_ : rest_;
  sum_.held += held_;
  sum_.free += rest_ + fast_;
  sum_.releasable += whole_pages_;
  if (of_threads) {
    sum_.thread_arenas_held += held_;
    sum_.thread_arenas_free += rest_ + fast_;
  } else if (top > kPageBytes) {
    sum_.releasable += top - kPageBytes;
  }
}

bool InfoText::result(format::AllocatorStatistics& statistics) const {
  if (!complete_ || heaps_ == 0) return false;
  statistics = sum_;
  statistics.held += sum_.mapped;
  statistics.arenas = heaps_;
  return true;
}

}  // namespace memlens::interposer::glibc_heap
