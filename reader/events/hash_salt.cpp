#include "reader/events/hash_salt.h"

#include <sys/random.h>

namespace memlens::reader {

uint64_t hash_salt() {
  static const uint64_t salt = [] {
    uint64_t random = 0;
    // Without random numbers the tables are as good, but known.
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = 0;
    // Not all bits: as a multiplier, a number with few ones at its top spreads badly.
    return (0x9E3779B97F4A7C15ull ^ random >> 16) | 1;
  }();
  return salt;
}

}  // namespace memlens::reader
