// What comes after this library in the order in which the loader binds names.
//
// dlsym(RTLD_NEXT) answers the same question and must not be asked: the first malloc of a process
// may come from inside newlocale or bindtextdomain, in some library's constructor, with libc's own
// locks held. For a name that is absent dlsym allocates a message and dlerror() translates it,
// which takes those locks (curl, gdb, psql hung at once); and both take the loader's lock, which in
// a forked child may be held for good. Here the loader's list of objects (its debugger interface)
// is walked, in which the objects that a program starts with stand in the order of the global
// scope, and their symbol tables are read.
#pragma once

#include <link.h>

namespace memlens::interposer {

struct Definition {
  void* address = nullptr;           // null: nobody defines it
  const link_map* object = nullptr;  // which does
};

// Whether this library was brought into a program that ran already: it stands behind libc, and
// nobody is bound to its hooks. What it comes before is then what the program started with.
bool loaded_late();

// Precondition: the next functions are resolved.
bool was_there_at_start(const link_map* object);

// The first definition behind this library among the objects that the program started with. Any
// context; no lock, no allocation, no system call.
Definition find_next_definition(const char* name);

// The first of all, this library included: what the program itself is bound to.
Definition find_first_definition(const char* name);

// The definition in the loaded object of that DT_SONAME, wherever it stands: libraries that were
// opened for their opener alone are in the list, too.
Definition find_definition_in(const char* soname, const char* name);

// This library, and the one in which the program's malloc continues; the latter null if that is
// libc's.
const link_map* own_object();
const link_map* allocator_object();

}  // namespace memlens::interposer
