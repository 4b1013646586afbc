// What makes the hash tables' order different in each run.
//
// Addresses and node numbers come from the file: with a hash known beforehand a capture could be
// made that puts all of them in one place, and reading it would take for ever.
#pragma once

#include <cstdint>

namespace memlens::reader {

// Odd, and the same for the whole run.
uint64_t hash_salt();

}  // namespace memlens::reader
