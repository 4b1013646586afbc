#include "interposer/python/symbol_lookup.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <link.h>
#include <sys/mman.h>

#include <string>

using memlens::interposer::python::find_symbol;
using memlens::interposer::python::is_relocated;

namespace {

// The RELRO part of the library that defines a function.
struct PageOf {
  explicit PageOf(const char* name) : function(dlsym(RTLD_DEFAULT, name)) {
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* self) {
          Dl_info info;
          dladdr(static_cast<PageOf*>(self)->function, &info);
          if (module->dlpi_addr != reinterpret_cast<ElfW(Addr)>(info.dli_fbase)) return 0;
          for (int i = 0; i < module->dlpi_phnum; ++i) {
            const auto& segment = module->dlpi_phdr[i];
            if (segment.p_type == PT_GNU_RELRO) {
              static_cast<PageOf*>(self)->start =
                  reinterpret_cast<void*>((module->dlpi_addr + segment.p_vaddr) & ~4095ul);
            }
          }
          return 1;
        },
        this);
  }
  void* function;
  void* start = nullptr;
};

}  // namespace

TEST_CASE("symbols are where dlsym finds them") {
  // Functions and variables of several libraries, by both names of some.
  for (const char* name : {"printf", "getpid", "pthread_create", "environ", "stdout", "dlopen",
                           "sched_yield", "_ZNSaIcEC1Ev"}) {
    CAPTURE(name);
    void* expected = dlsym(RTLD_DEFAULT, name);
    REQUIRE(expected != nullptr);
    CHECK(find_symbol(name) == expected);
  }
}

TEST_CASE("what nobody defines is not found") {
  CHECK(find_symbol("memlens_no_such_symbol") == nullptr);
  CHECK(find_symbol("") == nullptr);
}

TEST_CASE("a library opened for its opener alone is searched too") {
  CHECK(find_symbol("zlibVersion") == dlsym(RTLD_DEFAULT, "zlibVersion"));
  void* library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    MESSAGE("skipped: no libz.so.1 on this machine");
    return;
  }
  CHECK(find_symbol("zlibVersion") == dlsym(library, "zlibVersion"));
  dlclose(library);
}

TEST_CASE("a module is relocated when the loader has protected it") {
  CHECK(is_relocated("printf"));
  CHECK_FALSE(is_relocated("memlens_no_such_symbol"));
  // The protected page of a library, as it is while the loader still writes to it.
  const PageOf page("pthread_create");
  REQUIRE(page.start != nullptr);
  REQUIRE(mprotect(page.start, 4096, PROT_READ | PROT_WRITE) == 0);
  CHECK_FALSE(is_relocated("pthread_create"));
  REQUIRE(mprotect(page.start, 4096, PROT_READ) == 0);
  CHECK(is_relocated("pthread_create"));
}
