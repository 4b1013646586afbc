#include "interposer/reentrancy.h"

#include <doctest/doctest.h>

#include <csetjmp>

using namespace memlens::interposer;

namespace {
__attribute__((noinline)) bool nested_is_outermost() {
  volatile char frame[64];
  frame[0] = 0;
  HookScope scope;
  asm volatile("" ::"r"(&frame));
  return scope.outermost();
}

jmp_buf escape;
__attribute__((noinline)) void leave_by_longjmp() {
  volatile char frame[256];
  frame[0] = 0;
  HookScope scope;
  asm volatile("" ::"r"(&frame), "r"(&scope));
  longjmp(escape, 1);
}
}  // namespace

TEST_CASE("only the outermost hook records") {
  {
    HookScope scope;
    CHECK(scope.outermost());
    CHECK_FALSE(nested_is_outermost());
  }
  CHECK(nested_is_outermost());
}

TEST_CASE("a scope left by longjmp does not silence the thread") {
  if (setjmp(escape) == 0) leave_by_longjmp();
  REQUIRE(hook_frame != 0);  // never reset
  HookScope scope;
  CHECK(scope.outermost());
}
