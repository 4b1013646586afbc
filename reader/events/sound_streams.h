// The streams of events without the chunks that make no sense.
//
// Sound captures, which are nearly all, pay nothing: the analysis reads the streams as they are,
// and begins again with what is found here when it meets damage. A chunk is left out as a whole,
// also the events before the one that cannot be: what was overwritten rarely ends there.
#pragma once

#include <cstdint>
#include <vector>

#include "reader/file/error.h"
#include "reader/file/frame_index.h"
#include "reader/file/left_out.h"
#include "reader/file/source.h"

namespace memlens::reader {

// Events that make no sense under checksums that are right.
class StreamDamage : public CaptureError {
 public:
  using CaptureError::CaptureError;
};

struct SoundStreams {
  std::vector<EventStream> streams;
  std::vector<LeftOut> left_out;
};

// Reads and decodes every chunk. Times beyond `last_ticks` make no sense. Throws CaptureError where
// a checksum is wrong.
SoundStreams find_sound_streams(const Source& source, const std::vector<EventStream>& streams,
                                uint64_t last_ticks);

}  // namespace memlens::reader
