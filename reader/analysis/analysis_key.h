// What a stored analysis belongs to.
#pragma once

#include <string>

#include "reader/analysis/results.h"
#include "reader/file/source.h"

namespace memlens::reader {

// Equal keys mean equal results: the same capture, options and build. `range_buckets` is no part of
// it.
std::string analysis_key(const Source& source, const Query& query);

}  // namespace memlens::reader
