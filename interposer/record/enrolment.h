// What makes a process image a recorded process of a session, apart from when: lifecycle/ decides
// that. In the order of a process that is recorded again, or of a forked child: forget, then enrol.
#pragma once

#include "interposer/format/metadata_records.h"
#include "interposer/segment/layout.h"

namespace memlens::interposer {

// Takes a slot of the segment, which is mapped, and describes the process in its metadata. False:
// no slot is left, or no memory for what is needed. Nobody records yet; the state says whether
// anybody may.
bool enrol(segment::SegmentHeader* segment, format::ProcessOrigin origin);

// Of what was recorded before nothing is left, and nobody uses it: there is no other thread, or
// everybody has left.
void forget_what_was_recorded();

// In a forked child: it inherited states, locks and counts of threads that it does not have.
void forget_parents_threads();

}  // namespace memlens::interposer
