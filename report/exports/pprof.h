// pprof's profile.proto, gzipped, as `go tool pprof`, Pyroscope, Parca and speedscope open it.
//
// A sample has four values, in the order all of them know: alloc_objects/count, alloc_space/bytes,
// inuse_objects/count, inuse_space/bytes. "alloc" is everything ever allocated. "inuse" is what is
// still allocated at the end; in a file made with the peak's view, what was alive at the peak. In
// one made with the temporary view, "alloc" is the temporary blocks alone, and nothing is in use.
//
// A location is one frame of machine code with the functions inlined there as its lines, innermost
// first. It has no address: functions and lines were found when recording ended, and pprof must not
// look for them again in files that may be others by now.
#pragma once

#include <optional>
#include <ostream>

#include "report/exports/export_source.h"

namespace memlens::report {

// `view`: nothing, everything allocated and what is left of it.
void write_pprof(std::ostream& out, const ExportSource& source, std::optional<View> view);

}  // namespace memlens::report
