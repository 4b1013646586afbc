// The main loop of `memlens run`: serves the recording while the program runs, passes signals on,
// and closes the capture.
#pragma once

#include <string>

#include "interposer/collector/recording.h"
#include "interposer/recording/child_program.h"
#include "interposer/recording/ending.h"
#include "interposer/recording/output_file.h"
#include "interposer/recording/rotation_options.h"
#include "interposer/recording/run_signals.h"
#include "interposer/symbolizer/inflated_file.h"

namespace memlens::recording {

struct RecordedRun {
  OutputFile output;
  std::string name;      // what was run, for messages
  std::string obstacle;  // why it cannot be recorded, where that is known
  bool quiet = false;
  bool tables = true;     // of functions that the program asked for
  bool progress = false;  // may be shown
  bool source = true;
  bool debuginfod = false;
  bool native = false;
  RotationOptions rotation;
  TellEnding tell_ending;       // called last of all
  bool mark_on_signal = false;  // SIGUSR2 to memlens is a mark, and not sent on
};

// Returns memlens's exit code. `program` has been released.
int record_program(collector::Recording& recording, ChildProgram& program, RecordedRun& run);

// Symbols and trailer, after the last event, and run.tell_ending(); for `memlens collect` as well.
// `inflated` are debug files that were made ready before, or null.
void close_recording(collector::Recording& recording, const RecordedRun& run, bool interrupted,
                     const collector::ExitStatus& status, symbolizer::InflatedFiles* inflated);

// One line on stderr when the disk is full or the like; call after each update.
void report_write_failure(const collector::Recording& recording, const RecordedRun& run,
                          bool& reported);

// Ends the main loop's sleep; callable in a signal handler.
void wake_recording();
// What wake_recording() wakes; null: nothing.
void set_recording_to_wake(collector::Recording* recording);

}  // namespace memlens::recording
