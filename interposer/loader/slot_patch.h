// Hooks without preload: a function is replaced for whoever calls it from another place than its
// own code, at run time, and put back.
//
// Calls between objects go through slots, words of data that the loader fills with the callee's
// address; code is never touched, so no thread has to be stopped and no instruction understood. Two
// things are changed, each by one aligned store of eight bytes:
//   - the symbol: the value of the defining object's .dynsym entry is made to lead to the hook, so
//     that whatever is bound from now on (lazy slots, later dlopen, dlsym) gets the hook;
//   - the slots of every object that hold the function's address already.
// Not reached: a direct call within the object (static, hidden, -Bsymbolic, inlined), and pointers
// that the program itself keeps.
//
// Threads. A caller sees the old or the new address, and either works: the hook is complete, its
// real function known, before the first store that leads to it. After a function has been put back
// a thread may still be in the hook, or have read its address: a hook stays callable for good.
// Putting back after an install is exact because each store replaces one known value by another: a
// slot that somebody else has changed meanwhile is left alone.
//
// Protection. Slots lie on pages that the loader makes read-only once the object is relocated
// (RELRO), symbols on pages that always are. They are made writable for the store and given their
// old protection back. An object that another thread is loading just now may not be relocated yet:
// its RELRO pages are still writable, which the kernel is asked, and it is then left alone, because
// to protect a page would make the loader fault. Its slots get the hook from the symbol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "interposer/loader/call_tables.h"

namespace memlens::interposer {

struct Replacement {
  uintptr_t from;
  uintptr_t to;
  // Of several with the same `from`, the one with the name that the slot was bound by is taken, or
  // the first: libc has functions of two names.
  const char* name = nullptr;
};

struct PatchCount {
  size_t slots = 0;
  bool ready = true;  // false: the object is being loaded, look again later
};

// In every slot of `object` that holds a `from`. `own`: also pointers the object was linked with to
// its own functions. One thread at a time; from inside a hook or not; not inside an allocator.
PatchCount replace_in_slots(const CallTables& object, bool own, const Replacement* replacements,
                            size_t count);

// The symbol's value, when it leads to `from`. False: it does not, or cannot be written.
bool replace_in_symbol(const CallTables& object, const ElfW(Sym) & symbol,
                       const Replacement& replacement);

}  // namespace memlens::interposer
