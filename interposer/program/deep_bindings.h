// Calls that the loader bound past this library.
//
// A library opened with RTLD_DEEPBIND looks for names in itself and in what it needs before it
// looks where everybody does, so its malloc is libc's and not our hook: what it allocated would not
// be seen, and what it was given and freed would look like a leak. Its slots are led to the hooks
// (slot_patch.h), where those of all others lead. A slot that is filled only when it is called
// first (RTLD_LAZY) is not among them.
#pragma once

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// For whoever compares the list of modules with the loader's, with a LoaderReading: of an object
// that was opened after the start.
void hook_deep_bindings(const LoadedObject& object);

}  // namespace memlens::interposer
