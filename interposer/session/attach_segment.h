// Finding the session's shared memory, whatever exec, setuid, namespaces or close-all have done.
#pragma once

#include "interposer/segment/layout.h"

namespace memlens::interposer {

// Tries, in this order, /proc/<collector>/fd (fails across setuid and pid namespaces), the
// inherited descriptor (fails after close-all), the abstract socket (fails across network
// namespaces), and verifies the file's inode and the segment's nonce. `description` is the value of
// segment::kSessionVariable; `announced` tells whether it carried kAnnouncedSuffix, which is cut
// off in place. nullptr when there is no such segment. It takes the place of a former session's,
// which nobody uses any more.
segment::SegmentHeader* attach_segment(char* description, bool& announced);

// What attach_segment() returned is not needed after all.
void detach_segment(segment::SegmentHeader* segment);

// The segment was there and could not be mapped: a limit on address space (`ulimit -v`).
bool attach_found_no_address_space();

// The description that attach_segment() was given last is one of a recording that may have ended
// since (segment::kAttachedSuffix).
bool session_may_be_over();

// For a program preloaded by hand: starts `memlens collect --ready-fd N --pid P` beside this
// library, reads the session's description from the descriptor and attaches. The collector is a
// grandchild in a session of its own, so that the program neither waits for it nor sends it its
// signals. nullptr on failure, with one line on stderr.
segment::SegmentHeader* start_own_collector();

// The description this process attached by; empty while it has not.
const char* session_description();

// From the library's constructor (never from a hook: setenv allocates under libc's lock): names a
// session that this process started in its environment, for its children.
void publish_session();

}  // namespace memlens::interposer
