// How much to sample, as `memlens run` is told and as the environment of a program preloaded by
// hand tells it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace memlens::report::cli {

// One sample in `bytes` bytes; stays 0, which is every block, when it is not given.
inline CLI::Option* add_sample_option(CLI::App& app, uint64_t& bytes) {
  return app
      .add_option("--sample", bytes,
                  "Only samples, one in SIZE bytes on average (512K): cheap enough to leave on")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->option_text("SIZE");
}

}  // namespace memlens::report::cli
