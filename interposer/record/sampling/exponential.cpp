#include "interposer/record/sampling/exponential.h"

namespace memlens::interposer {
namespace {

// Natural logarithm, for the sake of which nobody should be linked with libm. `value` is in [1, 2).
// ln x = 2 artanh((x - 1) / (x + 1)); around the square root of two the series' terms fall by at
// least 1/34, and what is left out is below 1e-11.
double logarithm(double value) {
  constexpr double kRootOfTwo = 1.4142135623730951;
  constexpr double kHalfLn2 = 0.34657359027997264;
  const double z = (value - kRootOfTwo) / (value + kRootOfTwo);
  const double z2 = z * z;
  double sum = 0;
  for (int term = 13; term >= 1; term -= 2) sum = sum * z2 + 1.0 / term;
  return kHalfLn2 + 2 * z * sum;
}

}  // namespace

uint64_t exponential_bytes(uint64_t random, uint64_t mean_bytes) {
  constexpr double kLn2 = 0.69314718055994531;
  random |= 1;  // 0 has no logarithm
  const int zeros = __builtin_clzll(random);
  // random / 2^64 = mantissa * 2^-(zeros + 1)
  const double mantissa = static_cast<double>(random << zeros >> 11) * 0x1p-52;
  const double distance = (zeros + 1) * kLn2 - logarithm(mantissa);
  return static_cast<uint64_t>(distance * static_cast<double>(mean_bytes)) + 1;
}

}  // namespace memlens::interposer
