#include "interposer/recording/rotation.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <utility>

#include "interposer/collector/clock.h"
#include "interposer/recording/finish_capture.h"
#include "interposer/recording/message.h"
#include "interposer/recording/record_program.h"
#include "interposer/recording/run_error.h"
#include "reader/text/units.h"

namespace memlens::recording {
namespace {

// What is copied between two rounds of the recording, and what may be left for the last of them.
constexpr uint64_t kCopiedARound = uint64_t{8} << 20;

// Nobody waits for it.
void be_unimportant() {
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
}

}  // namespace

void check_rotation(const RotationOptions& options, const OutputFile& output) {
  if (options.given && !output.regular)
    throw RunError(kOwnFailure, "--max-size and --keep need a file to write to, and " +
                                    output.path + " is none");
}

Rotation::Rotation(collector::Recording& recording, RecordedRun& run,
                   const RotationOptions& options)
    : recording_(recording),
      run_(run),
      options_(options),
      next_bytes_(options.max_bytes != 0 ? options.max_bytes : UINT64_MAX) {
  recording_.refuse_rotation(
      run.output.regular ? "" : "it is written to " + run.output.path + ", which is no file");
}

Rotation::~Rotation() { end(); }

std::string Rotation::kept_path(unsigned number) const {
  return run_.output.path + "." + std::to_string(number);
}

void Rotation::update() {
  switch (step_) {
    case Step::kIdle:
      if (!run_.output.regular || recording_.write_failure() != 0) return;
      if (recording_.take_rotation_request()) asked_ = true;
      if (asked_ || recording_.writer().file_bytes() >= next_bytes_) begin();
      break;
    case Step::kBeginning:
      if (!work_is_done_) return;
      work_.join();
      if (!failure_.empty()) return give_up(failure_);
      asked_ |= begun_ == NextCapture::Begun::kTooEarly;
      step_ = begun_ == NextCapture::Begun::kYes ? Step::kCatchingUp : Step::kIdle;
      break;
    case Step::kCatchingUp:
      catch_up();
      break;
    case Step::kFinishing:
      if (!work_is_done_) return;
      work_.join();
      step_ = Step::kIdle;
      break;
  }
}

void Rotation::begin() {
  asked_ = false;
  recording_.write_so_far();
  next_ = std::make_unique<NextCapture>(run_.output.path, run_.output.path + ".next");
  failure_.clear();
  work_is_done_ = false;
  step_ = Step::kBeginning;
  // Not in a thread of low priority: on a busy machine the file would grow faster than it is read.
  work_ = std::thread([this] {
    try {
      begun_ = next_->begin(stop_work_);
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
    work_is_done_ = true;
  });
}

void Rotation::catch_up() {
  try {
    if (!next_->catch_up(kCopiedARound)) return;
    recording_.write_so_far();  // the old file's end
    while (!next_->catch_up(UINT64_MAX)) {
    }
    change_files();
  } catch (const std::exception& error) {
    give_up(error.what());
  }
}

// The recording goes on where it is, and tries again when the file is twice as long.
void Rotation::give_up(const std::string& reason) {
  unlink((run_.output.path + ".next").c_str());
  next_.reset();
  step_ = Step::kIdle;
  if (next_bytes_ != UINT64_MAX) {
    next_bytes_ = std::max(next_bytes_, recording_.writer().file_bytes()) * 2;
  }
  print_line("cannot go on in another file: " + reason + "; " + run_.output.path + " grows on");
}

// The name always is a capture's: the old one gets its other name first.
void Rotation::change_files() {
  const std::string& path = run_.output.path;
  const std::string next = path + ".next";
  for (unsigned number = options_.keep; number > 1; --number) {
    rename(kept_path(number - 1).c_str(), kept_path(number).c_str());
  }
  if (options_.keep > 0) {
    unlink(kept_path(1).c_str());
    if (link(path.c_str(), kept_path(1).c_str()) != 0 &&
        rename(path.c_str(), kept_path(1).c_str()) != 0) {
      return give_up("cannot rename " + path + ": " + strerror(errno));
    }
  }
  if (rename(next.c_str(), path.c_str()) != 0) {
    return give_up("cannot rename " + next + ": " + strerror(errno));
  }
  collector::append_clock_frame(next_->writer());
  const uint64_t old_bytes = recording_.writer().file_bytes();
  std::string trailer = recording_.trailer_of_continued();
  const int old_fd = recording_.go_on_in(
      next_->writer(), "goes on from an earlier file: " + format_count(next_->carried_blocks()) +
                           " blocks with " + format_bytes(next_->carried_bytes()) +
                           " from before count as allocated at its start");
  next_.reset();
  run_.output = existing_output(path);
  if (options_.max_bytes != 0) {
    // With much that is live, a file that is little else.
    next_bytes_ = std::max(options_.max_bytes, recording_.writer().file_bytes() * 2);
  }
  if (options_.keep == 0) {
    close(old_fd);
    step_ = Step::kIdle;
    return;
  }
  work_is_done_ = false;
  step_ = Step::kFinishing;
  work_ = std::thread([this, old_fd, old_bytes, text = std::move(trailer)]() mutable {
    be_unimportant();
    finish_old(old_fd, old_bytes, std::move(text));
    work_is_done_ = true;
  });
}

// Names and source lines, and the trailer.
void Rotation::finish_old(int fd, uint64_t file_bytes, std::string trailer) {
  collector::CaptureWriter writer(fd, file_bytes);
  FinishOptions options;
  options.source_text = run_.source;
  options.debuginfod = run_.debuginfod;
  options.quiet = true;
  finish_capture(kept_path(1), options,
                 [&](format::FrameKind kind, uint32_t process, std::string_view payload) {
                   collector::FrameDescription frame;
                   frame.kind = kind;
                   frame.process = process;
                   return writer.append(frame, payload);
                 });
  collector::FrameDescription frame;
  frame.kind = format::FrameKind::kTrailer;
  writer.append_last(frame, trailer);
}

void Rotation::end() {
  // (An old file is given its names all the same.)
  stop_work_ = true;
  if (work_.joinable()) work_.join();
  if (next_ != nullptr) unlink((run_.output.path + ".next").c_str());
  next_.reset();
  step_ = Step::kIdle;
}

}  // namespace memlens::recording
