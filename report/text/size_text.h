// Sizes, rates and shares as users type them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace memlens::report {

// "512K", "24MB", "1.5GiB", "4096": K, M, G, T are powers of 1000, with or without a B; Ki, Mi, Gi,
// Ti powers of 1024. Letters may be small. Nothing: it is none, or more than 2^63 bytes.
std::optional<uint64_t> parse_size(std::string_view text);

// "10K/s", "1 MiB/min", "2GB/h"; without a unit of time a second is meant. In bytes a second.
std::optional<double> parse_rate(std::string_view text);

// "5%", "2.5 %", "5": 0.05, 0.025, 0.05.
std::optional<double> parse_percent(std::string_view text);

}  // namespace memlens::report
