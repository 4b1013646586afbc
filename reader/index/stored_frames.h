// Where the frames of a capture are, but for the chunks of events: kept for the next time.
//
// Finding the frames means a read at each of them, all over the file: tens of thousands, a second
// for a gigabyte that has to come from disk. A report from the index needs only names and stacks,
// which are in a few frames.
#pragma once

#include <optional>

#include "reader/frame_index.h"
#include "reader/index/index_options.h"

namespace memlens::reader {

// Without the chunks (FrameIndex::lists_chunks). nullopt: not stored.
std::optional<FrameIndex> load_frames(const Source& source, const IndexOptions& options);

void store_frames(const Source& source, const FrameIndex& index, const IndexOptions& options);

}  // namespace memlens::reader
