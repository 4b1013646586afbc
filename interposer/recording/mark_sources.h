// Marks that nobody has to type.
#pragma once

#include "interposer/collector/recording.h"

namespace memlens::recording {

struct MarkSources {
  double every_seconds = 0;  // 0: never
  bool on_signal = false;    // SIGUSR2

  void tell(collector::RecordingOptions& recorded) const {
    recorded.mark_every_ns = static_cast<int64_t>(every_seconds * 1e9);
    recorded.mark_on_signal = on_signal;
  }
};

}  // namespace memlens::recording
