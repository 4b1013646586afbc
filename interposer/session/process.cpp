#include "interposer/session/process.h"

namespace memlens::interposer {

Process process;
constinit std::atomic<SessionState> session_state{SessionState::kLoaded};
constinit std::atomic<uint32_t> session_stays{0};
constinit std::atomic<uint32_t> attention{0};

namespace {

class Listeners {
 public:
  void add(void (*listener)()) {
    for (unsigned i = 0; i < count_; ++i) {
      if (listeners_[i] == listener) return;
    }
    if (count_ < kMost) listeners_[count_++] = listener;
  }
  void call() const {
    for (unsigned i = 0; i < count_; ++i) listeners_[i]();
  }

 private:
  static constexpr unsigned kMost = 16;
  void (*listeners_[kMost])() = {};
  unsigned count_ = 0;
};

constinit Listeners new_session, session_end, attention_change;

}  // namespace

void at_new_session(void (*reset)()) { new_session.add(reset); }
void call_at_new_session() { new_session.call(); }

void at_session_end(void (*leave)()) { session_end.add(leave); }
void call_at_session_end() { session_end.call(); }

void at_attention_change(void (*look)()) { attention_change.add(look); }
void attention_has_changed() { attention_change.call(); }

}  // namespace memlens::interposer
