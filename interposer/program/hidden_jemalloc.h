// A jemalloc that a library, or the program, has inside and calls directly: no name leads to it
// that could be made to lead elsewhere. It is recorded by its own hooks (experimental.hooks of
// mallctl, jemalloc 5.2 and later), which every one of its functions calls, whoever called that.
//
// What of it is found: mallctl, by the symbol table in the library's file (file_functions.h), so a
// stripped library's is not. That is looked for when the object is first seen, which may be inside
// somebody's malloc. The hooks are put in later, by a call of mallctl: jemalloc may be in the midst
// of anything on a thread that has come from its own code, so that is done only where the program
// has called something else: when dlopen has returned, before a fork, when a thread gives itself a
// name, in our constructor, on memlens's own thread.
//
// Cost: with hooks jemalloc takes no shortcut for small blocks, some 20 ns more for each pair.
//
// What it maps is where its blocks live, and those are counted: a few of its functions map, and all
// that they map is left out.
#pragma once

#include <cstdint>

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// For whoever compares the list of modules with the loader's, with a LoaderReading: an object is
// there, or is gone.
void look_for_hidden_jemalloc(const LoadedObject& object);
void forget_hidden_jemalloc(uintptr_t start);

// Puts the hooks in of those that have been found since, while this process is recorded; takes them
// out. Not inside a hook of an allocating function, and not within a HookScope: what mallctl
// allocates is the program's.
void hook_hidden_jemallocs();
void release_hidden_jemallocs();

// Whether the program has one whose hooks are in.
bool program_has_hooked_jemalloc();

// Whether `code`, of this object, maps memory for one. Any context; no lock.
bool maps_for_hidden_jemalloc(const LoadedObject& object, uintptr_t code);

}  // namespace memlens::interposer
