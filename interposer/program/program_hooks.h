// The hooks of hook_table.h in a program that this library was not preloaded into.
//
// Preloaded, the loader binds everybody to the hooks. Loaded late, nobody is, and nothing is
// changed until a session begins: then the slots of all objects that hold the address of a hooked
// function are led to its hook, and its symbol (slot_patch.h); at the session's end both are led
// back, which is all there is to being not recorded: no call passes through here.
//
// What preloading reaches and this does not: a pointer that the program has taken before (by dlsym,
// or stored from a slot), the loader's own calls, functions called within libc without a slot, and
// a malloc linked into the program itself. A program that compares such a pointer with the
// function's name finds them different meanwhile.
#pragma once

namespace memlens::interposer {

// Precondition for all: loaded_late(), and the caller holds a LoaderReading that is held, the list
// refreshed. From inside a hook or not.

// Puts the hooks in while a session is open, else takes them out; again and again, nothing is done
// twice. False: not everything is done (an object is just being loaded), look again later.
bool settle_program_hooks();

// Whether any are in, perhaps.
bool program_hooks_are_in();

// A slot that was bound to the real function by a thread that had looked it up before the symbols
// were changed would be missed. So it is looked again, some times in the session's first second.
void revisit_program_hooks();

}  // namespace memlens::interposer
