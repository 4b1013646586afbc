// The environment a started program gets: with our library and the session in it when it is to be
// recorded, as the program itself would have made it when not.
//
// Made without allocation, for children of vfork and signal handlers: the caller brings the memory.
#pragma once

#include <cstddef>

namespace memlens::interposer {

struct SessionEntries {
  const char* library;      // absolute path of our library
  const char* description;  // value of segment::kSessionVariable
  bool announced;           // with segment::kAnnouncedSuffix
};

// Where LD_PRELOAD already names our library first and the session is the right one, nothing needs
// to be changed: `needed_bytes` is then 0.
//
// Counts what attach_entries or detach_entries will need. `environment` may be null.
size_t bytes_to_attach(char* const* environment, const SessionEntries& entries);
size_t bytes_to_detach(char* const* environment);

// Put the new environment into `memory` and return it. Entries keep their order; those of the
// program are not copied but pointed to.
char** attach_entries(char* const* environment, const SessionEntries& entries, void* memory);
char** detach_entries(char* const* environment, void* memory);

// detach_entries on the process's own environment, which only ever gets shorter.
void remove_entries_in_place(char** environment);

// Absolute path of the library this code is in; empty when unknown. Known from the constructor on.
const char* own_library_path();

}  // namespace memlens::interposer
