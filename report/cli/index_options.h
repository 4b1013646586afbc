// Whether, and where, results are kept for the next report. docs/index.md.
#pragma once

#include "reader/index/indexed_analysis.h"

namespace memlens::report::cli {

// The user's folder; no index where it is not `wanted` or the environment says MEMLENS_NO_INDEX.
reader::IndexOptions index_options(bool wanted = true);

}  // namespace memlens::report::cli
