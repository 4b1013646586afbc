#include "interposer/allocator_statistics/python_heap.h"

#include <cstring>

#include "interposer/loader/next_definition.h"

namespace memlens::interposer::python_heap {

void (*before_asking)() = nullptr;

namespace {

// The last number of the line, "= 12,345".
uint64_t number_at_end(const char* line) {
  const char* at = std::strrchr(line, '=');
  uint64_t value = 0;
  for (; at != nullptr && *at != '\0'; ++at) {
    if (*at >= '0' && *at <= '9') value = value * 10 + static_cast<uint64_t>(*at - '0');
  }
  return value;
}

bool begins(const char* line, const char* text) {
  return std::strncmp(line, text, std::strlen(text)) == 0;
}
bool has(const char* line, const char* text) { return std::strstr(line, text) != nullptr; }

}  // namespace

bool ask(format::AllocatorStatistics& statistics) {
  const auto print =
      reinterpret_cast<int (*)(FILE*)>(find_first_definition("_PyObject_DebugMallocStats").address);
  if (print == nullptr) return false;
  if (before_asking != nullptr) before_asking();
  StatsText text;
  return take_text(text, [&](FILE* stream) { return print(stream) != 0; }) &&
         text.result(statistics);
}

void StatsText::add(const char* text, uint64_t bytes) {
  lines_.add(text, bytes, [this](const char* line) { take_line(line); });
}

void StatsText::take_line(const char* line) {
  if (begins(line, "# arenas allocated current")) {
    sum_.arenas = number_at_end(line);
  } else if (has(line, " arenas * ") && has(line, " bytes/arena")) {
    sum_.held = number_at_end(line);
  } else if (begins(line, "# bytes in available blocks")) {
    sum_.free += number_at_end(line);
    told_blocks_ = true;
  } else if (has(line, " unused pools * ")) {
    sum_.free += number_at_end(line);
  }
}

bool StatsText::result(format::AllocatorStatistics& statistics) const {
  if (!told_blocks_ || sum_.arenas == 0 || sum_.free > sum_.held) return false;
  statistics = sum_;
  return true;
}

}  // namespace memlens::interposer::python_heap
