// Where the frames of a capture are, but for the chunks of events: kept for the next time.
//
// Finding the frames means a read at each of them, all over the file: tens of thousands, a second
// for a gigabyte that has to come from disk. A report from the cache needs only names and stacks,
// which are in a few frames.
#pragma once

#include <optional>

#include "reader/cache/cache_options.h"
#include "reader/file/frame_index.h"

namespace memlens::reader {

// Without the chunks (FrameIndex::lists_chunks). nullopt: not stored.
std::optional<FrameIndex> load_frames(const Source& source, const CacheOptions& options);

void store_frames(const Source& source, const FrameIndex& index, const CacheOptions& options);

}  // namespace memlens::reader
