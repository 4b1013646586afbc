#include "interposer/record/enrolment.h"

#include "interposer/definitions/definitions.h"
#include "interposer/definitions/process_registration.h"
#include "interposer/guest/private_memory.h"
#include "interposer/guest/reentrancy.h"
#include "interposer/record/order.h"
#include "interposer/record/sampling/sampler.h"
#include "interposer/record/thread_state.h"
#include "interposer/session/process.h"

namespace memlens::interposer {

bool enrol(segment::SegmentHeader* segment, format::ProcessOrigin origin) {
  uint32_t slot = 0, index = 0;
  if (!order::start() || !claim_process_slot(segment, slot, index)) return false;
  process.segment = segment;
  process.slot = slot;
  process.index = index;
  ++process.session;
  count_skipped_calls_in(&own_slot().skipped_calls);
  if (!sampler::start()) return false;
  describe_process(origin);
  return true;
}

void forget_what_was_recorded() {
  drop_definitions();
  call_at_new_session();
  drop_permanent_memory();
}

void forget_parents_threads() {
  process.inherited_session = process.session;
  session_stays.store(0);
  drop_thread_states();
}

}  // namespace memlens::interposer
