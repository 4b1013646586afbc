// What an opened capture holds, for the reader's own files; reader/capture.h is for all others.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "reader/capture.h"
#include "reader/frame_index.h"
#include "reader/process_metadata.h"
#include "reader/source.h"
#include "reader/source_text.h"
#include "reader/string_pool.h"
#include "reader/tick_clock.h"

namespace memlens::reader {

struct Capture::Impl {
  explicit Impl(const std::string& path) : source(path) {}

  // nullptr: no record of it.
  const ProcessInfo* process(uint32_t index) const;
  // The moment a process was over (its end, or its exec); UINT64_MAX: not known.
  uint64_t process_end_ticks(uint32_t index) const;

  Source source;
  FrameIndex index;
  CaptureInfo info;
  TickClock clock;
  StringPool pool;
  SourceText source_text;
  std::map<uint32_t, ProcessMetadata> metadata;
  std::map<uint32_t, uint64_t> end_ticks;  // by process
  std::vector<ResidentSample> resident_samples;

  // The lines of Python frames, by process and place (Node::value), made when first asked for:
  // tables of lines are read from their start, and the same places are on very many stacks.
  struct PythonPlace {
    uint32_t process;
    uint64_t value;
    bool operator==(const PythonPlace&) const = default;
  };
  struct PythonPlaceHash {
    size_t operator()(const PythonPlace& place) const {
      const uint64_t mixed = (place.value ^ place.process) * 0x9E3779B97F4A7C15ull;
      return mixed ^ mixed >> 32;
    }
  };
  mutable std::mutex python_frames_mutex;
  mutable std::unordered_map<PythonPlace, Frame, PythonPlaceHash> python_frames;

  // Names of addresses that no symbol describes, made when first asked for.
  mutable std::mutex unresolved_mutex;
  mutable StringPool unresolved_names;
};

}  // namespace memlens::reader
