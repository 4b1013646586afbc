// The capture that a recording goes on in when the one it writes has become too long: complete in
// itself, without what was allocated and freed before. FORMAT.md, "Files that go on".
//
// What is live is known by applying the capture's events up to the moment at which all of them are
// in the file (reader/analysis/followed_analysis.h); that takes its time, and the recording goes on
// in the old file meanwhile. Then the new one gets whatever frames the old one has from there on.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "interposer/collector/capture_writer.h"
#include "reader/analysis/followed_analysis.h"
#include "reader/file/frame_index.h"
#include "reader/file/source.h"

namespace memlens::recording {

class NextCapture {
 public:
  // The capture that is written now, and where the next one is to be.
  NextCapture(std::string old_path, std::string path)
      : old_path_(std::move(old_path)), path_(std::move(path)) {}

  enum class Begun : uint8_t {
    kYes,
    kTooEarly,  // nothing is known yet; try again
    kStopped,
  };
  // Writes what is live and the frames that are still to be applied. May be called in a thread of
  // its own, and is given up when `stop` is set. Throws std::exception. Unless it answers kYes
  // there is no file.
  Begun begin(const std::atomic<bool>& stop);
  // Adds what the old capture has got since, `most_bytes` of it; true: that was all.
  bool catch_up(uint64_t most_bytes);

  collector::CaptureWriter& writer() { return *writer_; }
  uint64_t carried_blocks() const { return carried_blocks_; }
  uint64_t carried_bytes() const { return carried_bytes_; }

 private:
  using Continuation = reader::FollowedAnalysis::Continuation;

  void write_beginning(const reader::FollowedAnalysis& old, const Continuation& from);
  void write_order(const Continuation& from);
  void write_live(const reader::FollowedAnalysis& old, const Continuation& from, uint32_t process);
  bool is_wanted(const reader::FrameRef& frame);
  bool is_note_of_going_on(const reader::FrameRef& frame);
  void copy(const reader::FrameRef& frame);
  void append(const collector::FrameDescription& frame, const std::vector<uint8_t>& payload);

  const std::string old_path_;
  const std::string path_;
  std::unique_ptr<reader::Source> old_;
  std::unique_ptr<collector::CaptureWriter> writer_;
  uint64_t analyzed_bytes_ = 0;  // of the old capture
  uint64_t next_offset_ = 0;     // the next frame of it to be looked at
  std::set<uint32_t> ended_;     // processes
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> first_chunks_;  // by process and thread
  uint64_t carried_blocks_ = 0;
  uint64_t carried_bytes_ = 0;
  std::vector<uint8_t> bytes_;
};

}  // namespace memlens::recording
