// Libraries coming and going.
//
// dlopen looks at its return address to choose the caller's RUNPATH and namespace, so a hook that
// calls it and then does something changes which file is found. So it jumps on, and what was loaded
// is seen soon after (modules.h) - except where the file is found without the caller: it is named
// by a path, or the caller has no RUNPATH. There it is called, and what the library brings is
// hooked before the program can call it. Of the caller one thing still counts: libraries that the
// opened one needs are looked for in the DT_RPATH of its openers, too, so where an object has one
// the hook jumps.
#include <dlfcn.h>

#include <cstring>

#include "interposer/guest/reentrancy.h"
#include "interposer/hooks/hook_export.h"
#include "interposer/loader/loader_list.h"
#include "interposer/loader/next_function.h"
#include "interposer/program/hidden_jemalloc.h"
#include "interposer/program/modules.h"

namespace memlens::interposer {
namespace {

constexpr char kLibrary[] = "libdl.so.2";  // before glibc 2.34
MEMLENS_NEXT<void* (*)(const char*, int)> next_dlopen("dlopen");
MEMLENS_NEXT<void* (*)(Lmid_t, const char*, int)> next_dlmopen("dlmopen");
MEMLENS_NEXT<int (*)(void*)> next_dlclose("dlclose");

bool has_search_path(const void* caller) {
  LoadedObject object;
  if (!find_loaded_object(reinterpret_cast<uintptr_t>(caller), object)) return true;
  for (const ElfW(Dyn)* entry = object.dynamic; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_RUNPATH || entry->d_tag == DT_RPATH) return true;
  }
  return false;
}

// Only its own names stand for something in a path: $ORIGIN and the like are the caller's.
bool is_found_without_caller(const char* file, const void* caller) {
  if (file == nullptr || std::strchr(file, '$') != nullptr) return false;
  return std::strchr(file, '/') != nullptr || (file[0] != '\0' && !has_search_path(caller));
}

void look_at_modules() {
  HookScope scope;
  if (scope.outermost()) scan_modules();
}

__attribute__((noinline)) void* open_and_look(const char* file, int mode) {
  void* handle = nullptr;
  {
    const OpeningScope opening;
    handle = next_dlopen.get_or_in(kLibrary)(file, mode);
  }
  if (handle != nullptr) look_at_modules();
  hook_hidden_jemallocs();
  return handle;
}

}  // namespace
}  // namespace memlens::interposer

using namespace memlens::interposer;

// Both end in a jump, so that the real function returns to, and sees, the program's own call. A
// test with a library that only its caller's RUNPATH leads to keeps the compiler to that.
MEMLENS_HOOK __attribute__((optimize("optimize-sibling-calls"))) void* dlopen(const char* file,
                                                                              int mode) {
  look_at_safe_place();
  expect_module_change();
  if (is_found_without_caller(file, __builtin_return_address(0)) && !libraries_have_rpath())
    return open_and_look(file, mode);
  return next_dlopen.get_or_in(kLibrary)(file, mode);
}

MEMLENS_HOOK __attribute__((optimize("optimize-sibling-calls"))) void* dlmopen(Lmid_t list,
                                                                               const char* file,
                                                                               int mode) {
  expect_namespaces();
  expect_module_change();
  return next_dlmopen.get_or_in(kLibrary)(list, file, mode);
}

// What the library's destructors free is the program's: no hook is active around the real call.
MEMLENS_HOOK int dlclose(void* handle) {
  look_at_modules();
  int status;
  {
    const UnloadingScope unloading;
    status = next_dlclose.get_or_in(kLibrary)(handle);
  }
  look_at_modules();
  return status;
}
