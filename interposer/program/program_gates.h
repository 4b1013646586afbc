// The gates of include/memlens.h: one word in each program or library that includes it, which says
// where our functions are. Nothing is looked up by the program, and nothing is exported by it: a
// note in its file tells us where the word lies, whenever we come.
//
// Written once, when the object is first seen, and never taken back: this library stays where it is
// (-z nodelete), and an object that has been unloaded has no gate to write to.
#pragma once

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// With a LoaderReading that is held.
void open_program_gates(const LoadedObject& object);

}  // namespace memlens::interposer
