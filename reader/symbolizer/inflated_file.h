// Debug files as distributions ship them are compressed. libdw inflates all of one with zlib when
// it is opened, also what names and lines do not need: 35 to 40 ms for libc's, which is in every
// program. The same bytes by libdeflate, without the lists of variables' places, take 15.
#pragma once

namespace memlens::reader {

// A file in memory with the sections that names and lines are read from, not compressed; -1: none
// of `descriptor`'s are, or it is better left to libdw. The caller closes both.
int inflated_copy(int descriptor);

}  // namespace memlens::reader
