// Marks that nobody has to type, as `memlens run` and `memlens attach` are told of them.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "interposer/collector/recording.h"

namespace memlens::report::cli {

struct MarkSources {
  double every_seconds = 0;  // 0: never
  bool on_signal = false;    // SIGUSR2

  void tell(collector::RecordingOptions& recorded) const {
    recorded.mark_every_ns = static_cast<int64_t>(every_seconds * 1e9);
    recorded.mark_on_signal = on_signal;
  }
};

inline void add_mark_options(CLI::App& app, MarkSources& marks) {
  app.add_option("--mark-every", marks.every_seconds,
                 "A mark by itself every so often: 60, 60s, 500ms, 5m")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}}))
      ->check(CLI::Range(0.01, 1e6))
      ->option_text("TIME");
  app.add_flag("--mark-on-usr2", marks.on_signal,
               "A mark at each SIGUSR2, to memlens or to a program that has no use for it");
}

}  // namespace memlens::report::cli
