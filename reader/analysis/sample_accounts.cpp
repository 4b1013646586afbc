#include "reader/analysis/sample_accounts.h"

#include <algorithm>
#include <cmath>

namespace memlens::reader {
namespace {

// The whole part of `value` and of what was carried, which keeps the rest.
uint64_t take_whole(double value, double& carried) {
  carried += value;
  const double whole = std::floor(carried);
  carried -= whole;
  return static_cast<uint64_t>(whole);
}

SampleVariance::Wide rounded(double variance) {
  return static_cast<SampleVariance::Wide>(std::round(variance));
}

}  // namespace

Sample SampleAccounts::weigh(uint32_t site, uint64_t interval_bytes, uint64_t size_bytes) {
  Account& sums = account(site);
  longest_interval_bytes_ = std::max(longest_interval_bytes_, interval_bytes);
  const auto size = static_cast<double>(size_bytes);
  const double missed = std::exp(-size / static_cast<double>(interval_bytes));
  const double weight = -1 / std::expm1(-size / static_cast<double>(interval_bytes));
  const double variance = weight * weight * missed;  // weight * (weight - 1), for all sizes alike
  Sample sample;
  sample.size_bytes = size_bytes;
  sample.interval_bytes = interval_bytes;
  // A block of no bytes has never been drawn; a capture that says otherwise stays finite.
  if (size_bytes == 0) return sample;
  sample.bytes = take_whole(size * weight, sums.carried_bytes);
  sample.blocks = take_whole(weight, sums.carried_blocks);
  sample.variance = {rounded(size * size * variance), rounded(variance)};
  return sample;
}

}  // namespace memlens::reader
