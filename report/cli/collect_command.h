// `memlens collect`: the collector of a program that was preloaded by hand. Started by the library
// (interposer/session/attach_segment.h), not by users, and so not listed in --help.
//
//   memlens collect --ready-fd N --pid P
//
// The library passes descriptor N, the writing end of a pipe, and its own pid. The collector makes
// the segment and the capture (memlens-<name>-<P>.mlens in the program's directory, or what
// MEMLENS_OUTPUT names), writes the value for MEMLENS_SESSION to N and closes it. MEMLENS_SAMPLE is
// what --sample is to `memlens run`. On failure it closes N with nothing written, after one line on
// stderr; the program then runs unrecorded.
#pragma once

namespace memlens::report::cli {

// argv[0] is "collect".
int collect_command(int argc, char** argv);

}  // namespace memlens::report::cli
