// The trampolines of `python -X perf`, known by their code.
#include <doctest/doctest.h>

#include <cstring>

#include "interposer/stacks/processor.h"

namespace {

using memlens::interposer::unwind::Trampoline;
using memlens::interposer::unwind::trampoline_at;

// The instructions up to where a call returns to, and those behind.
template <size_t kBefore, size_t kAfter>
Trampoline found(const char (&before)[kBefore], const char (&after)[kAfter]) {
  uint8_t code[64] = {};
  std::memcpy(code, before, kBefore - 1);
  std::memcpy(code + kBefore - 1, after, kAfter - 1);
  return trampoline_at(code + kBefore - 1);
}

TEST_CASE("a trampoline is known by all of its instructions") {
  CHECK(found("\x48\x83\xec\x08\xff\xd1", "\x48\x83\xc4\x08\xc3") == Trampoline::kWithoutFrame);
  CHECK(found("\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\xff\xd1", "\x5d\xc3") == Trampoline::kWithFrame);
}

TEST_CASE("what only resembles one is none") {
  // Of other sizes, calling by another register, with something between, or mixed.
  CHECK(found("\x48\x83\xec\x18\xff\xd1", "\x48\x83\xc4\x18\xc3") == Trampoline::kNone);
  CHECK(found("\x55\x48\x89\xe5\xff\xd0", "\x5d\xc3") == Trampoline::kNone);
  CHECK(found("\x55\x48\x89\xe5\xff\xd1", "\x90\x5d\xc3") == Trampoline::kNone);
  CHECK(found("\x55\x48\x89\xe5\xff\xd1", "\x48\x83\xc4\x08\xc3") == Trampoline::kNone);
}

}  // namespace
