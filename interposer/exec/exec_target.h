// What an exec is about to start, and whether this library can go along.
//
// Everything here is async-signal-safe and frugal with the stack: it runs in children of vfork and
// in signal handlers.
#pragma once

#include <cstddef>

namespace memlens::interposer {

// Why a program cannot be recorded.
enum class Obstacle : unsigned char {
  kNone,
  kOtherMachine,         // 32-bit, or for another processor
  kStatic,               // no dynamic loader
  kOtherLibc,            // a dynamic loader that is not glibc's (musl)
  kPrivileged,           // gains rights: the loader ignores LD_PRELOAD
  kOwnSanitizerOptions,  // AddressSanitizer would refuse the preload, and is not ours to tell
  kAddressSpace,         // is allowed too little of it to start with our library
  kLibraryHidden,        // our library cannot be reached from here any more (chroot)
};

// Whether the program must not be started with our library in LD_PRELOAD: its loader or run-time
// library would complain or give up. (Others ignore it, and their children may be recorded.)
bool forbids_preload(Obstacle obstacle);

// The rest of a sentence that starts with the program's path.
const char* explain(Obstacle obstacle);

// Follows "#!" to the program that is really started. kNone when it cannot be read or is of no
// known format: whoever starts it finds out. `directory_fd` as in execveat.
Obstacle inspect_program(int directory_fd, const char* path);

// Where execvp would find `name`: `name` itself when it holds a slash, else the first executable in
// PATH, in `buffer`. nullptr when there is none or it does not fit.
const char* find_program(const char* name, char* buffer, size_t bytes);

}  // namespace memlens::interposer
