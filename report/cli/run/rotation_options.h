// When a recording goes on in another file, as `memlens run` and `memlens attach` are told.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "interposer/recording/rotation_options.h"
#include "report/text/size_text.h"

namespace memlens::report::cli {

inline void add_rotation_options(CLI::App& app, recording::RotationOptions& options) {
  app.add_option_function<std::string>(
         "--max-size",
         [&options](const std::string& text) {
           constexpr uint64_t kLeast = uint64_t{1} << 20;
           const std::optional<uint64_t> size = parse_size(text);
           if (!size || *size < kLeast) {
             throw CLI::ValidationError(
                 "--max-size", "'" + text + "' is less than 1 MiB, or no size: write it like 200M");
           }
           options.max_bytes = *size;
           options.given = true;
         },
         "Go on in another file when the capture has that size; what is live is carried over")
      ->option_text("SIZE");
  app.add_option_function<unsigned>(
         "--keep",
         [&options](unsigned count) {
           options.keep = count;
           options.given = true;
         },
         "How many files to keep beside it: FILE.1, FILE.2, ... (3)")
      ->check(CLI::Range(0, 1000))
      ->option_text("N");
}

}  // namespace memlens::report::cli
