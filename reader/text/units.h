// Every number the terminal reports show is printed here.
#pragma once

#include <cstdint>
#include <string>

namespace memlens {

// An estimate as a whole number; less than nothing is nothing.
uint64_t rounded(double amount);

// Three digits and a decimal unit: "0 B", "999 B", "1.00 kB", "31.2 MB".
std::string format_bytes(uint64_t bytes);

// In binary units where that is how it was said: "512 KiB", "1 MiB", "100000 bytes".
std::string format_interval(uint64_t bytes);

// What follows an estimate, with its variance: " ± 1.20 MB", " ± 310"; empty for what is exact.
std::string format_bytes_error(double variance, bool unicode);
std::string format_count_error(double variance, bool unicode);

// Whole, with thousands apart: "301,204".
std::string format_count(uint64_t count);

// "301,204 blocks", "1 block".
std::string format_count_of(uint64_t count, const char* singular);

// "59.9 %"; "<0.1 %" of what is not nothing; "-" of nothing at all.
std::string format_share(uint64_t part, uint64_t whole);

// "0.250 s", "12.31 s", "3 min 20 s", "2 h 05 min".
std::string format_seconds(double seconds);

}  // namespace memlens
