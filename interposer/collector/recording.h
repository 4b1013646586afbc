// One recording session, from the empty segment to the trailer: what `memlens run` and
// `memlens collect` drive.
//
//   Recording recording(options);            the segment exists, programs may be started
//   recording.open_capture(fd, session);     frames may be written
//   while (!recording.is_over()) { recording.update(); recording.sleep(); }
//   recording.end_events();                  every event there is, is in the file
//   (symbols and source lines are appended to recording.writer())
//   recording.write_trailer(...);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "interposer/collector/allocator_questions.h"
#include "interposer/collector/capture_writer.h"
#include "interposer/collector/chunk_drain.h"
#include "interposer/collector/control_socket.h"
#include "interposer/collector/memory_limit.h"
#include "interposer/collector/process_watch.h"
#include "interposer/collector/resident_sampler.h"
#include "interposer/collector/sample_thinning.h"
#include "interposer/collector/shared_segment.h"
#include "interposer/format/metadata_records.h"

namespace memlens::collector {

struct RecordingOptions {
  bool native = false;
  bool python_allocators = true;
  bool follow = true;
  uint64_t sample_bytes = 0;    // one sample in so many bytes; 0: every block
  int64_t mark_every_ns = 0;    // a mark by itself so often; 0: never
  bool mark_on_signal = false;  // SIGUSR2 to a recorded process
};

// What the session frame says beside the options.
struct SessionDescription {
  std::vector<std::string> command;
  std::string working_directory;
  // Things the reader of a report should be told, known before the start.
  std::vector<std::string> notes;
  // Of a program that ran already.
  struct Attachment {
    int32_t pid = 0;
    double after_seconds = 0;  // since its process was started
    std::optional<uint64_t> resident_bytes;
    std::string note;  // the same in words, for readers
  };
  std::optional<Attachment> attached;
};

class Recording {
 public:
  // Makes the segment. Throws std::system_error.
  explicit Recording(const RecordingOptions& options);
  ~Recording();

  SharedSegment& segment() { return segment_; }
  CaptureWriter& writer() { return *writer_; }
  const CaptureWriter& writer() const { return *writer_; }
  ProcessWatch& processes() { return watch_; }

  // Starts the capture in `fd`, which it owns. False when not even the first frames can be written.
  bool open_capture(int fd, const SessionDescription& session);

  // One round: drains, notices births and deaths, samples, keeps the clock. Never blocks.
  void update();
  // Until a program asks for attention or the next round is due (about 10 ms).
  void sleep();
  // Ends the next sleep, or the present one, at once. Callable from a signal handler.
  void interrupt_sleep();
  // For who reads the capture while it is written: all there is, and up to when that goes.
  void write_so_far();

  // ---- going on in another file
  // Somebody has asked for it since the last call. Nobody can before refuse_rotation(""): they are
  // told the reason.
  bool take_rotation_request() { return control_.take_rotation_request(); }
  void refuse_rotation(std::string reason) { control_.refuse_rotation(std::move(reason)); }
  // What ends the present file, as of now.
  std::string trailer_of_continued() const;
  // The file of `next`, which holds all that the present one has and it needs. Returns the present
  // one's descriptor, for the caller to write its end and close it.
  int go_on_in(CaptureWriter& next, const std::string& note);

  // SIGUSR2 came to this process: names the moment.
  void mark_by_signal();

  // No recorded process lives and none is being born.
  bool is_over();

  // Somebody asks for the end (`memlens detach`).
  bool stop_requested() const { return control_.stop_requested(); }
  // From now on programs record nothing more. What they committed is still drained.
  void stop();
  // The last drain; no process is watched afterwards.
  void end_events();

  enum class EndReason : uint8_t { kFinished, kInterrupted };
  // Also after a failed write, where a trailer may still fit; the reason is then write_failed.
  void write_trailer(EndReason reason, const ExitStatus& status);

  // errno of the write that failed; 0: none.
  int write_failure() const { return writer_ ? writer_->failure() : 0; }
  uint32_t processes_seen() const;
  uint32_t processes_lost() const;
  // Children that were started and never joined the recording.
  uint32_t births_missing() const;
  uint64_t event_bytes() const { return drain_->event_bytes(); }
  // Whether a program wrote over the shared memory as a whole. Known when the events have ended.
  bool written_over() const { return written_over_; }
  // Of shared memory: what programs wrote over by mistake, and what is therefore left out.
  uint32_t damaged_chunks() const { return drain_ ? drain_->damaged_chunks() : 0; }

 private:
  void write_session(const SessionDescription& session);
  void write_note(const std::string& text, format::DiagnosticCode code);
  void write_process_end(const WatchedProcess& process);
  void write_marks(std::vector<MarkRequest> marks);
  void add_signal_marks(std::vector<MarkRequest>& marks);
  void serve_control_socket();
  void settle_ended_processes(const std::vector<WatchedProcess>& ended);
  void settle_copies();
  void thin_out_samples();
  void stop_after_write_failure();
  void wake_everybody();

  RecordingOptions options_;
  SharedSegment segment_;
  ControlSocket control_;
  ProcessWatch watch_;
  AllocatorQuestions questions_;
  std::unique_ptr<CaptureWriter> writer_;
  std::unique_ptr<ChunkDrain> drain_;
  std::unique_ptr<ResidentSampler> sampler_;
  LimitWatch limits_;
  int64_t next_clock_ns_ = 0;
  int64_t clock_interval_ns_;
  int64_t last_tick_ns_ = 0;
  // When the segment's tick last moved on, and the time before: what threads do from then on they
  // stamp with a later time, so by now everything before the earlier one is committed.
  uint64_t tick_ticks_ = 0;
  uint64_t settled_ticks_ = 0;
  int64_t next_mark_ns_ = 0;  // by itself
  uint64_t own_marks_ = 0;
  uint64_t signal_marks_ = 0;
  SampleThinning thinning_;
  uint64_t sample_interval_ = 0;
  uint32_t notes_written_ = 0;
  segment::StopReason stop_ = segment::kRunning;  // the header's is the programs' to damage
  uint32_t births_seen_ = 0;
  int64_t last_birth_ns_ = 0;   // when births_announced last changed
  int64_t next_search_ns_ = 0;  // for unborn children, in /proc
  int64_t next_stranger_search_ns_ = 0;
  int64_t empty_since_ns_ = 0;   // no recorded process since; 0: there is one
  bool child_expected_ = false;  // somebody with our session in its environment lives
  uint64_t failed_ticks_ = 0;    // when a write first failed; 0: none did
  Moment end_;  // of the last event; what is done to the capture after it is not the run's time
  bool ended_ = false;
  bool written_over_ = false;
};

}  // namespace memlens::collector
