#include "interposer/python/symbol_lookup.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <string>

using memlens::interposer::python::find_symbol;

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
