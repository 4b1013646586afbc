// analyze(), with its result kept for the next time.
//
// A report needs one pass over all events, seconds for hundreds of millions of them. What comes out
// is small (it follows the number of stacks), so it is stored, and the next report on the same
// capture starts from there. docs/cache.md says where and for how long.
#pragma once

#include "reader/analysis/analysis.h"
#include "reader/cache/cache_options.h"
#include "reader/capture/capture.h"

namespace memlens::reader {

// The same as analyze(), always. Throws what that throws.
Analysis analyze_cached(const Capture& capture, const Query& query, const CacheOptions& options);

}  // namespace memlens::reader
