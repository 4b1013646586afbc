// What a stored index belongs to: this capture, these options, this build of memlens.
#pragma once

#include <string>

#include "reader/analysis/analysis.h"
#include "reader/source.h"

namespace memlens::reader {

// Of an analysis. Equal keys mean equal results. The capture is known by its size, the time it was
// last written, and its first and last bytes (the session's random number, and a checksum of what
// was written last); not by its name. `range_buckets` is no part of it.
std::string index_key(const Source& source, const Query& query);

// Of where the capture's frames are.
std::string frames_key(const Source& source);

}  // namespace memlens::reader
