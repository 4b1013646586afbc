// Where results are kept for the next report, and which.
#pragma once

#include <cstdint>
#include <string>

namespace memlens::reader {

struct CacheOptions {
  std::string folder;              // empty: nothing is stored or looked up
  double worth_seconds = 0.5;      // shorter passes are not stored
  uint64_t worth_frames = 1000;    // nor is where the frames of smaller captures are
  uint64_t max_bytes = 512 << 20;  // of everything stored
};

// The user's own folder.
CacheOptions default_cache_options();

}  // namespace memlens::reader
