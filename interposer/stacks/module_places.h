// Telling apart the libraries that stood at one address, one after the other.
//
// After a dlclose the loader gladly maps the next library where the last one was. An address alone
// would then name a function of either. So a library that takes another's place gets a number, its
// place tag, which stands in bits 48 to 63 of all its addresses in the capture: those of its native
// nodes and its module's bias, start and end. User addresses have 47 bits; a reader that looks an
// address up among the modules needs to know nothing of this.
#pragma once

#include <link.h>

#include <cstdint>

namespace memlens::interposer {

inline constexpr unsigned kPlaceTagShift = 48;

// The tag of a loaded library, already shifted; given to it at first sight. 0 for all but
// replacements. A library that comes back to where it was (same file name and notes, which hold the
// build id) has the tag it had. From inside a hook, any thread; takes a private lock briefly.
uint64_t place_tag(const char* name, uint64_t load_bias, const ElfW(Phdr) * segments,
                   int segment_count);

}  // namespace memlens::interposer
