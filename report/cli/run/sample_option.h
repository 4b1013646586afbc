// How much to sample, as `memlens run` is told and as the environment of a program preloaded by
// hand tells it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "report/text/size_text.h"

namespace memlens::report::cli {

// One sample in `bytes` bytes; stays 0, which is every block, when it is not given.
inline CLI::Option* add_sample_option(CLI::App& app, uint64_t& bytes) {
  return app
      .add_option_function<std::string>(
          "--sample",
          [&bytes](const std::string& text) {
            constexpr uint64_t kMost = uint64_t{1} << 40;
            const std::optional<uint64_t> size = parse_size(text);
            if (!size || *size == 0 || *size > kMost) {
              throw CLI::ValidationError(
                  "--sample",
                  "'" + text + "' is none from 1 byte to 1 TiB; " + "write it like 512K");
            }
            bytes = *size;
          },
          "Only samples, one in SIZE bytes on average (512K): cheap enough to leave on")
      ->option_text("SIZE");
}

}  // namespace memlens::report::cli
