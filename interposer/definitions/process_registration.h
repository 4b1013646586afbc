// Telling the collector that this process exists, and the capture what it is.
#pragma once

#include <cstdint>

#include "interposer/format/metadata_records.h"
#include "interposer/segment/layout.h"

namespace memlens::interposer {

// Takes a free slot for this process; false (and counted in the segment) when all are taken.
bool claim_process_slot(segment::SegmentHeader* segment, uint32_t& slot, uint32_t& index);

// Whether a live slot already belongs to this pid: the process was recorded before an exec.
bool process_is_known(const segment::SegmentHeader* segment, int32_t pid);

// Writes the process record (executable, command line, parents) to the metadata.
void describe_process(format::ProcessOrigin origin);

}  // namespace memlens::interposer
