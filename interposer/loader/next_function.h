// The next definition of a hooked function in link order: libc's, or the program's own allocator.
// Never __libc_*: a program on jemalloc, tcmalloc or mimalloc must keep its allocator.
#pragma once

#include <atomic>

#include "interposer/loader/symbol_table.h"

namespace memlens::interposer {

// Aligned to its size, so that those of all files stand in their section without gaps.
struct alignas(32) NextDefinition {
  SymbolName name;
  std::atomic<void*> address;
};
static_assert(sizeof(NextDefinition) == 32);

// All that were declared with MEMLENS_NEXT, at once: by whichever hook is called first, or by this
// library's constructor. Any context (next_definition.h); cheap when it has been done.
void resolve_next_functions();

// The definition in the loaded library of that DT_SONAME; nullptr where there is none.
void* find_in_library(const char* soname, const SymbolName& name);

template <typename Function>
class NextFunction : NextDefinition {
 public:
  constexpr explicit NextFunction(const char* name) : NextDefinition{SymbolName(name), nullptr} {}

  // nullptr when nothing else defines the function.
  __attribute__((always_inline)) Function get() {
    Function function = known();
    return __builtin_expect(function != nullptr, 1) ? function : resolve();
  }

  // Of a function that is libc's since 2.34 and before that in a library which may come later than
  // the program has started, and go again.
  __attribute__((always_inline)) Function get_or_in(const char* soname) {
    Function function = get();
    if (__builtin_expect(function == nullptr, 0))
      function = reinterpret_cast<Function>(find_in_library(soname, name));
    return function;
  }

  // Precondition: resolve_next_functions() has been called, and there is one.
  __attribute__((always_inline)) Function known() const {
    return reinterpret_cast<Function>(address.load(std::memory_order_relaxed));
  }

 private:
  __attribute__((noinline, cold)) Function resolve() {
    resolve_next_functions();
    return known();
  }
};

}  // namespace memlens::interposer

// Declares a NextFunction where resolve_next_functions() finds it.
#define MEMLENS_NEXT \
  constinit          \
      __attribute__((section("memlens_next_functions"), used)) ::memlens::interposer::NextFunction
