// Finding a symbol among the loaded modules without dlsym.
//
// dlsym takes the loader's lock, allocates its error text and sets dlerror(). We look from inside
// other people's malloc, perhaps on a thread that another one waits for while it holds that lock
// (a library whose constructor starts threads, in dlopen): that would hang the program. Here the
// modules' own symbol tables are read. It also finds what was opened with RTLD_LOCAL.
#pragma once

namespace memlens::interposer::python {

// The first definition in the order of the loader's list, as the program itself is bound to it (a
// variable copied into the executable comes before the library's own); nullptr when there is none.
// Any thread; takes the loader's list lock only, which is never held for long.
void* find_symbol(const char* name);

// Whether the module that defines `name` is fit to be called and read. The loader lists a module
// before it relocates it, and allocates in between: whoever looks from inside that malloc finds
// functions whose first call would jump into nowhere. Once relocated, a module's RELRO part is made
// read-only, which /proc/self/maps shows. False when it cannot be told. Some system calls.
bool is_relocated(const char* name);

}  // namespace memlens::interposer::python
