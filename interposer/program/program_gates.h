// The gates of include/memlens.h: one word in each program or library that includes it, which says
// where our functions are. Nothing is looked up by the program, and nothing is exported by it: a
// note in its file tells us where the word lies, whenever we come.
//
// The word is written once, when the object is first seen, and never taken back: this library is
// not unloaded (-z nodelete), and the word of an object that is goes with it.
#pragma once

#include "interposer/loader/loader_list.h"

namespace memlens::interposer {

// With a LoaderReading that is held.
void open_program_gates(const LoadedObject& object);

}  // namespace memlens::interposer
