#include "interposer/session/ending.h"

#include "interposer/guest/diagnostics.h"
#include "interposer/session/gate.h"
#include "interposer/session/process.h"
#include "interposer/session/upcalls.h"

namespace memlens::interposer {
namespace {

bool leave() {
  session_stays.fetch_add(1);  // the next session does not begin before this is done
  SessionState expected = SessionState::kRecording;
  const bool left = session_state.compare_exchange_strong(expected, SessionState::kLeaving);
  if (left) {
    attention.fetch_or(kAttentionOver);
    // From now on, whoever was not dormant may be asked again as well.
    if (!gate_is_open()) open_gate();
    attention_has_changed();
    call_at_session_end();
    upcalls.take_hooks_out();
    attention_has_changed();
  }
  session_stays.fetch_sub(1);
  return left;
}

}  // namespace

void stop_recording(const char* reason) {
  if (!leave()) return;
  report_line(Line().text("recording stopped: ").text(reason).text("; the program runs on"));
}

void stop_recording_silently() { leave(); }

}  // namespace memlens::interposer
