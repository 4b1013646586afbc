// Whether, and where, results are kept for the next report. docs/cache.md.
#pragma once

#include "reader/analysis/cached_analysis.h"

namespace memlens::report::cli {

// The user's folder; no folder where it is not `wanted` or the environment says MEMLENS_NO_CACHE.
reader::CacheOptions cache_options(bool wanted = true);

}  // namespace memlens::report::cli
