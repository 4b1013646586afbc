// Libraries coming and going. modules.h says why dlopen is not wrapped.
#include <dlfcn.h>

#include "interposer/hooks/hook_export.h"
#include "interposer/hooks/next_function.h"
#include "interposer/loader_list.h"
#include "interposer/modules.h"
#include "interposer/reentrancy.h"

namespace memlens::interposer {
namespace {

MEMLENS_NEXT<void* (*)(const char*, int)> next_dlopen("dlopen");
MEMLENS_NEXT<void* (*)(Lmid_t, const char*, int)> next_dlmopen("dlmopen");
MEMLENS_NEXT<int (*)(void*)> next_dlclose("dlclose");

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

// Both end in a jump, so that the real function returns to, and sees, the program's own call. A
// test with a library that only its caller's RUNPATH leads to keeps the compiler to that.
MEMLENS_HOOK __attribute__((optimize("optimize-sibling-calls"))) void* dlopen(const char* file,
                                                                              int mode) {
  expect_module_change();
  return next_dlopen.get()(file, mode);
}

MEMLENS_HOOK __attribute__((optimize("optimize-sibling-calls"))) void* dlmopen(Lmid_t list,
                                                                               const char* file,
                                                                               int mode) {
  expect_namespaces();
  expect_module_change();
  return next_dlmopen.get()(list, file, mode);
}

namespace memlens::interposer {
namespace {

void look_at_modules() {
  HookScope scope;
  if (scope.outermost()) scan_modules();
}

}  // namespace
}  // namespace memlens::interposer

// What the library's destructors free is the program's: no hook is active around the real call.
MEMLENS_HOOK int dlclose(void* handle) {
  look_at_modules();
  int status;
  {
    const UnloadingScope unloading;
    status = next_dlclose.get()(handle);
  }
  look_at_modules();
  return status;
}
