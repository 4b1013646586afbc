// What `memlens run` does besides recording: --report's page, and a word on Ctrl-C.
#pragma once

#include <string>

namespace memlens::report::cli {

// Before the program starts: an hour's recording must not end with a page that may not be written.
// Throws RunError.
void check_report_path(const std::string& path, bool force);

// `memlens flamegraph`, run on the capture. Failures are told on stderr; the run's exit code is the
// program's all the same.
void write_run_report(const std::string& capture, const std::string& path, bool quiet);

// On a terminal only: who presses Ctrl-C there should know beforehand whom it goes to.
void explain_interrupts(const std::string& capture);

}  // namespace memlens::report::cli
