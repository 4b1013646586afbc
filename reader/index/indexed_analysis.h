// analyze(), with its result kept for the next time.
//
// A report needs one pass over all events, seconds for hundreds of millions of them. What comes out
// is small (it follows the number of stacks), so it is stored, and the next report on the same
// capture starts from there. docs/index.md says where and for how long.
#pragma once

#include <cstdint>
#include <string>

#include "reader/analysis/analysis.h"
#include "reader/capture.h"

namespace memlens::reader {

struct IndexOptions {
  std::string folder;              // empty: nothing is stored or looked up
  double worth_seconds = 0.5;      // shorter passes are not stored
  uint64_t max_bytes = 512 << 20;  // of everything stored
};

// The user's own folder.
IndexOptions default_index_options();

// The same as analyze(), always. Throws what that throws.
Analysis analyze_indexed(const Capture& capture, const Query& query, const IndexOptions& options);

}  // namespace memlens::reader
