// The next definition of a hooked function in link order: libc's, or the program's own allocator.
// Never __libc_*: a program on jemalloc, tcmalloc or mimalloc must keep its allocator.
#pragma once

#include <dlfcn.h>

#include "interposer/reentrancy.h"

namespace memlens::interposer {

// Resolved at first use; nullptr when nothing else defines the function. Resolution may allocate
// (dlsym does on errors): hooks of the malloc family check with resolving() and serve such calls
// from the bootstrap heap.
template <typename Function>
class NextFunction {
 public:
  constexpr explicit NextFunction(const char* name) : name_(name) {}

  __attribute__((always_inline)) Function get() {
    Function function = __atomic_load_n(&function_, __ATOMIC_RELAXED);
    return __builtin_expect(function != nullptr, 1) ? function : resolve();
  }

  // For who knows that it is resolved, and there.
  __attribute__((always_inline)) Function known() const {
    return __atomic_load_n(&function_, __ATOMIC_RELAXED);
  }

 private:
  __attribute__((noinline, cold)) Function resolve() {
    if (absent_) return nullptr;
    // A name that is not there leaves an error message behind. It is not the program's allocation,
    // nor the one its next dlerror() should be about.
    HookScope scope;
    auto function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name_));
    if (function == nullptr) {
      absent_ = true;
      dlerror();  // takes the message
      dlerror();  // frees it
    }
    __atomic_store_n(&function_, function, __ATOMIC_RELAXED);
    return function;
  }

  const char* name_;
  Function function_ = nullptr;
  bool absent_ = false;
};

}  // namespace memlens::interposer
