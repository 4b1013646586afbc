// The passes over a capture's frames that fill a Capture::Impl: at once, or as the file grows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reader/capture/capture_impl.h"
#include "reader/capture/json_frames.h"
#include "reader/file/frame_payload.h"
#include "reader/file/memory_budget.h"

namespace memlens::reader {

class CaptureOpener {
 public:
  CaptureOpener(Capture::Impl& impl, const CacheOptions& options)
      : impl_(impl), options_(options), loader_(impl.source), budget_(impl.source.size_bytes()) {}

  // The whole file, frames of events only listed.
  void open();

  // Instead of open(), and any number of times: what was added to the file since the last one.
  // `events` is called for each frame of events, in file order. Throws CaptureError.
  void follow(const std::function<void(const FrameRef&)>& events);

 private:
  // Of memory, by which a byte of clock frames is charged: recordings write few.
  static constexpr uint64_t kClockBytes = 16;

  struct Resident {
    uint64_t ticks;
    uint32_t process;
    uint64_t bytes;
  };

  struct PartsAt {
    uint64_t ticks;
    uint32_t process;
    format::ResidentParts parts;
  };

  struct NamedTicks {
    uint64_t ticks;
    uint32_t process;
    std::string name;
  };

  // A frame that makes no sense is left out from where it does not.
  template <typename Parse>
  void parse(const FrameRef& frame, Parse&& parse_view);
  template <typename Parse>
  void parse_json(const FrameRef& frame, Parse&& parse_text);

  void find_frames();
  void take_metadata(const FrameRef& frame);
  void take_other(const FrameRef& frame);
  void take_resident_parts(ByteView view);

  // From everything taken until now. Also once more, with more.
  void describe();
  // The times of events come from the program, which may have written over them. The collector's
  // own tell how late they can be: no clock of one machine is off by an hour.
  void bound_times();
  void list_left_out();
  void find_gaps();
  void describe_processes();
  // The images of one pid, each of which ended the one before. (With pids used again there may be
  // several such chains in a row.)
  void end_images(std::vector<ProcessInfo*>& images);
  void set_end(ProcessInfo& process, uint64_t ticks);
  void describe_threads();
  void describe_session();
  void describe_ending();
  void sample_residents();
  void place_marks();
  void list_profiled_functions();
  ProcessInfo* find_process(uint32_t index);

  Capture::Impl& impl_;
  const CacheOptions& options_;
  PayloadLoader loader_;
  PayloadBuffer buffer_;
  std::map<uint32_t, uint32_t> next_metadata_;  // by process: the sequence number expected
  SessionFrame session_;
  TrailerFrame trailer_;
  std::vector<ProcessEndFrame> ends_;
  std::vector<Resident> residents_;
  std::vector<PartsAt> resident_parts_;
  std::vector<NamedTicks> marks_;
  uint64_t last_ticks_ = 0;
  uint64_t own_ticks_ = 0;  // the latest that the collector itself noted
  MemoryBudget budget_;
  LeftOutList left_out_;
};

}  // namespace memlens::reader
