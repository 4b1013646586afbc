#include "interposer/loader/symbol_table.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <string>

using memlens::interposer::SymbolName;
using memlens::interposer::SymbolTable;

namespace {

struct Library {
  explicit Library(const std::string& file)
      : handle(dlopen((MEMLENS_TEST_LIBRARIES "/" + file).c_str(), RTLD_NOW | RTLD_LOCAL)) {
    REQUIRE_MESSAGE(handle != nullptr, dlerror());
    REQUIRE(dlinfo(handle, RTLD_DI_LINKMAP, &object) == 0);
  }
  ~Library() { dlclose(handle); }

  void* find(const char* name) const {
    const SymbolTable table(object->l_ld, object->l_addr);
    const ElfW(Sym)* symbol = table.find(SymbolName(name));
    return symbol == nullptr ? nullptr : table.address_of(*symbol);
  }
  int call(const char* name) const { return reinterpret_cast<int (*)()>(find(name))(); }

  void* handle;
  link_map* object = nullptr;
};

void check(const Library& library) {
  for (const char* name : {"plain", "chosen_at_run_time", "weak", "variable", "versioned"}) {
    CAPTURE(name);
    REQUIRE(library.find(name) != nullptr);
    CHECK(library.find(name) == dlsym(library.handle, name));
  }
  CHECK(library.call("plain") == 1);
  CHECK(library.call("chosen_at_run_time") == 2);
  CHECK(library.call("versioned") == 6);
  CHECK(*static_cast<int*>(library.find("variable")) == 4);
  for (const char* name : {"gone", "elsewhere", "chosen", "nowhere", ""}) {
    CAPTURE(name);
    CHECK(library.find(name) == nullptr);
  }
}

}  // namespace

TEST_CASE("definitions are found by the GNU hash") { check(Library("symbols_gnu.so")); }

TEST_CASE("definitions are found by the older hash where there is no other") {
  check(Library("symbols_sysv.so"));
}

TEST_CASE("the loaded libraries' own names are known") {
  const Library library("symbols_gnu.so");
  const SymbolTable table(library.object->l_ld, library.object->l_addr);
  CHECK(std::string(table.soname()) == "symbols_gnu.so");
}
