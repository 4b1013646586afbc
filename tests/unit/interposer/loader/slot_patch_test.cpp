#include "interposer/loader/slot_patch.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

using namespace memlens::interposer;

namespace {

int hooked_answer() { return 2; }

// One of the libraries made of slots.c, opened and described.
class Library {
 public:
  explicit Library(const char* path, int mode) : handle_(dlopen(path, mode)) {
    REQUIRE_MESSAGE(handle_ != nullptr, dlerror());
    REQUIRE(dlinfo(handle_, RTLD_DI_LINKMAP, &object_.link) == 0);
    object_.load_bias = object_.link->l_addr;
    object_.dynamic = object_.link->l_ld;
    object_.name = object_.link->l_name;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
          auto& object = *static_cast<LoadedObject*>(argument);
          if (info->dlpi_addr != object.load_bias) return 0;
          object.segments = info->dlpi_phdr;
          object.segment_count = info->dlpi_phnum;
          object.start = UINTPTR_MAX;
          for (size_t i = 0; i < info->dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = info->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD) continue;
            const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
            if (start < object.start) object.start = start;
            if (start + segment.p_memsz > object.end) object.end = start + segment.p_memsz;
          }
          return 1;
        },
        &object_);
    REQUIRE(object_.segments != nullptr);
  }
  ~Library() { dlclose(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const LoadedObject& object() const { return object_; }
  int call(const char* name) const { return reinterpret_cast<int (*)()>(dlsym(handle_, name))(); }
  uintptr_t address(const char* name) const {
    return reinterpret_cast<uintptr_t>(dlsym(handle_, name));
  }

 private:
  void* handle_;
  LoadedObject object_{};
};

const ElfW(Sym) * symbol_named(const CallTables& tables, const char* name) {
  for (size_t i = 1; i < tables.symbol_count(); ++i) {
    if (std::strcmp(tables.names() + tables.symbol(i).st_name, name) == 0) return &tables.symbol(i);
  }
  return nullptr;
}

// What the kernel lets be done with the library's memory, as it says itself.
std::string protections(const LoadedObject& object) {
  std::string all;
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long start = 0, end = 0;
    char rights[8];
    if (std::sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3) continue;
    start = std::max<unsigned long>(start, object.start);
    end = std::min<unsigned long>(end, object.end);
    for (uintptr_t page = start; page < end; page += 4096) all += rights;
  }
  std::fclose(maps);
  return all;
}

}  // namespace

TEST_CASE("a function is replaced in every slot, put back, and all of it twice") {
  for (const char* path : {MEMLENS_SLOTS_LAZY, MEMLENS_SLOTS_RELRO}) {
    CAPTURE(path);
    const Library library(path, RTLD_LAZY);
    const CallTables tables(library.object());
    REQUIRE(tables.is_usable());
    const uintptr_t real = library.address("slots_answer");
    const auto hook = reinterpret_cast<uintptr_t>(&hooked_answer);
    const Replacement install{real, hook}, remove{hook, real};
    const ElfW(Sym)* symbol = symbol_named(tables, "slots_answer");
    REQUIRE(symbol != nullptr);
    CHECK(tables.has_slot_for(static_cast<size_t>(symbol - &tables.symbol(0))));
    const std::string before = protections(library.object());
    for (int round = 0; round < 2; ++round) {
      CHECK(replace_in_symbol(tables, *symbol, install));
      CHECK_FALSE(replace_in_symbol(tables, *symbol, install));
      // The slot of the lazy one was bound by the first round's call.
      const PatchCount installed = replace_in_slots(tables, true, &install, 1);
      CHECK(installed.ready);
      CHECK(installed.slots >= 1);
      CHECK(replace_in_slots(tables, true, &install, 1).slots == 0);
      CHECK(library.call("slots_ask") == 2);
      CHECK(library.call("slots_ask_pointer") == 2);
      CHECK(library.call("slots_answer") == 2);
      CHECK(replace_in_symbol(tables, *symbol, remove));
      CHECK(replace_in_slots(tables, true, &remove, 1).slots >= 1);
      CHECK(library.call("slots_ask") == 1);
      CHECK(library.call("slots_ask_pointer") == 1);
      CHECK(library.address("slots_answer") == real);
      CHECK(protections(library.object()) == before);
    }
  }
}

TEST_CASE("calls that were bound by the linker are left alone") {
  const Library library(MEMLENS_SLOTS_SYMBOLIC, RTLD_NOW);
  const CallTables tables(library.object());
  const ElfW(Sym)* symbol = symbol_named(tables, "slots_answer");
  REQUIRE(symbol != nullptr);
  CHECK_FALSE(tables.has_slot_for(static_cast<size_t>(symbol - &tables.symbol(0))));
  const auto hook = reinterpret_cast<uintptr_t>(&hooked_answer);
  const Replacement install{library.address("slots_answer"), hook};
  CHECK(replace_in_slots(tables, false, &install, 1).slots == 0);
  // A pointer in data is one of the library's own, and reached.
  CHECK(replace_in_slots(tables, true, &install, 1).slots == 1);
  CHECK(library.call("slots_ask") == 1);
  CHECK(library.call("slots_ask_pointer") == 2);
}
