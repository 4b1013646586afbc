// Marks that nobody has to type, as `memlens run` and `memlens attach` are told of them.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "interposer/recording/mark_sources.h"

namespace memlens::report::cli {

inline void add_mark_options(CLI::App& app, recording::MarkSources& marks) {
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
