// What an opened capture holds, for the reader's own files; reader/capture/capture.h is for all
// others.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "reader/capture/capture.h"
#include "reader/capture/carried_order.h"
#include "reader/capture/memory_limit.h"
#include "reader/capture/process_metadata.h"
#include "reader/capture/source_text.h"
#include "reader/events/sound_streams.h"
#include "reader/events/tick_clock.h"
#include "reader/file/frame_index.h"
#include "reader/file/source.h"
#include "reader/text/string_pool.h"

namespace memlens::reader {

struct Capture::Impl {
  explicit Impl(const std::string& path) : source(path) {}

  // Of a file of which nothing has been read yet; see CaptureOpener::follow().
  static Capture unread(const std::string& path) { return Capture(std::make_unique<Impl>(path)); }
  static Impl& of(Capture& capture) { return *capture.impl_; }

  // nullptr: no record of it.
  const ProcessInfo* process(uint32_t index) const;
  // The moment a process was over (its end, or its exec); UINT64_MAX: not known.
  uint64_t process_end_ticks(uint32_t index) const;

  // The threads' chunks; looked for now if the index left them out. Throws CaptureError.
  const std::vector<EventStream>& event_streams() const;
  // The same, without what leave_out_damaged_chunks() found.
  const std::vector<EventStream>& readable_streams() const;
  const std::vector<LeftOut>& left_out_events() const { return sound.left_out; }
  // Looks for chunks that make no sense, which readable_streams() does not have from then on.
  // Throws CaptureError.
  void leave_out_damaged_chunks() const;

  Source source;
  FrameIndex index;
  mutable CaptureInfo info;  // has_gaps alone changes once the capture is open
  TickClock clock;
  uint64_t latest_ticks = UINT64_MAX;  // times beyond it make no sense
  StringPool pool;
  SourceText source_text;
  std::map<uint32_t, ProcessMetadata> metadata;
  CarriedOrder carried;                             // from an earlier file
  std::map<uint32_t, uint64_t> end_ticks;           // by process
  std::map<uint32_t, uint64_t> earliest_end_ticks;  // of those that ended at some time until then
  std::map<uint32_t, MemoryLimit> memory_limits;    // of those that were looked at and have ended
  std::vector<ResidentSample> resident_samples;
  std::vector<ResidentPartsSample> resident_parts;
  std::vector<AllocatorSample> allocator_samples;

  // What a node shows, inlined frames included, by its process, kind and value; made when first
  // asked for: it takes reading tables of lines from their start and looking for symbols and source
  // lines, and the same places are on very many stacks.
  struct Place {
    uint32_t process;
    NodeKind kind;
    uint64_t value;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    size_t operator()(const Place& place) const {
      const uint64_t mixed = (place.value ^ place.process) * 0x9E3779B97F4A7C15ull;
      return mixed ^ mixed >> 32;
    }
  };
  mutable std::mutex frames_mutex;  // of the two that follow
  mutable std::unordered_map<Place, std::vector<Frame>, PlaceHash> frames_of_places;
  mutable StringPool unresolved_names;  // of addresses that no symbol describes

  mutable std::once_flag streams_once;
  mutable std::vector<EventStream> streams;  // when not in `index`
  mutable std::once_flag sound_once;
  mutable bool has_sound = false;
  mutable SoundStreams sound;  // when some chunk makes no sense
};

}  // namespace memlens::reader
