// Recordings that go on for weeks: when the capture has reached its size, or somebody asks, the
// recording goes on in another file, and the old one is kept as FILE.1 (the one before as FILE.2,
// and so on). Each is a good capture at every moment, also after SIGKILL.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "interposer/collector/recording.h"
#include "interposer/recording/next_capture.h"
#include "interposer/recording/output_file.h"
#include "interposer/recording/rotation_options.h"

namespace memlens::recording {

struct RecordedRun;

// Throws RunError when `options` ask for other files and `output` is none.
void check_rotation(const RotationOptions& options, const OutputFile& output);

class Rotation {
 public:
  // Both live as long. `run.output` is what the recording writes, at any time.
  Rotation(collector::Recording& recording, RecordedRun& run, const RotationOptions& options);
  ~Rotation();
  Rotation(const Rotation&) = delete;
  Rotation& operator=(const Rotation&) = delete;

  // Somebody asks for it.
  void ask() { asked_ = true; }
  // Call after each update of the recording. Never waits long.
  void update();
  // Before the recording is closed: what has begun is given up, or ended.
  void end();

 private:
  enum class Step : uint8_t { kIdle, kBeginning, kCatchingUp, kFinishing };

  void begin();
  void catch_up();
  void change_files();
  void finish_old(int fd, uint64_t file_bytes, std::string trailer);
  void give_up(const std::string& reason);
  std::string kept_path(unsigned number) const;

  collector::Recording& recording_;
  RecordedRun& run_;
  const RotationOptions options_;
  Step step_ = Step::kIdle;
  bool asked_ = false;
  uint64_t next_bytes_;  // of the capture, when it is long enough
  std::unique_ptr<NextCapture> next_;
  std::thread work_;
  std::atomic<bool> work_is_done_{false};
  std::atomic<bool> stop_work_{false};
  NextCapture::Begun begun_{};  // what the work came to
  std::string failure_;         // or why it did not
};

}  // namespace memlens::recording
