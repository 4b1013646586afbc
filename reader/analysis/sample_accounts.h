// What samples stand for, and how far that may be off.
//
// A block of s bytes, sampled once in R bytes, was recorded with probability p = 1 - exp(-s / R)
// (interposer/record/sampling/sampler.h). It counts as w = 1 / p blocks of s bytes each: right on
// average, for every sum over blocks and every part of it (Horvitz and Thompson). Since blocks are
// drawn independently, the variance of such a sum is estimated, again without bias, by the sum of
// v^2 w (w - 1) over the samples in it, v being s for bytes and 1 for blocks; its root is the
// standard error.
//
// Sums must be exact whatever is taken together, and nobody has 1.6 blocks. So a sample counts
// whole blocks and bytes, and what is rounded off is carried to the site's next sample. A sample
// keeps its numbers while it is alive: freed, it takes back just what it had added. Variances are
// integers too.
#pragma once

#include <cstdint>
#include <vector>

#include "reader/analysis/results.h"

namespace memlens::reader {

// Of sums of bytes and blocks. 128 bits: one sample may bring the square of the interval.
struct SampleVariance {
  __extension__ using Wide = unsigned __int128;
  Wide bytes = 0;
  Wide blocks = 0;

  void operator+=(const SampleVariance& other) {
    bytes += other.bytes;
    blocks += other.blocks;
  }
  void operator-=(const SampleVariance& other) {
    bytes -= other.bytes;
    blocks -= other.blocks;
  }
  explicit operator Variance() const {
    return {static_cast<double>(bytes), static_cast<double>(blocks)};
  }
};

// What a block that was drawn counts for.
struct Sample {
  uint64_t bytes = 0;
  uint64_t blocks = 1;
  SampleVariance variance;
  uint64_t size_bytes = 0;      // the block's own, and
  uint64_t interval_bytes = 0;  // how it was drawn
};

// The variances of every site's sums, beside the sums themselves (SiteAccount): the peak's are kept
// in the same way (accounts.h).
class SampleAccounts {
 public:
  struct Account {
    SampleVariance live, peak, allocated, freed, temporary;
    uint64_t peak_epoch = 0;
    double carried_bytes = 0;
    double carried_blocks = 0;
  };

  // A block allocated while one sample was taken in `interval_bytes`.
  Sample weigh(uint32_t site, uint64_t interval_bytes, uint64_t size_bytes);

  // Call before the site's own sums change: `peak_epoch` is the accounts'.
  void add_live(uint32_t site, uint64_t peak_epoch, const SampleVariance& variance) {
    keep_peak(account(site), peak_epoch).live += variance;
  }
  void remove_live(uint32_t site, uint64_t peak_epoch, const SampleVariance& variance) {
    keep_peak(account(site), peak_epoch).live -= variance;
  }
  // The whole site, with its process.
  void end_live(uint32_t site, uint64_t peak_epoch) {
    keep_peak(account(site), peak_epoch).live = {};
  }

  Account& account(uint32_t site) {
    if (site >= accounts_.size()) accounts_.resize(site + 1);
    return accounts_[site];
  }

  uint64_t longest_interval_bytes() const { return longest_interval_bytes_; }

  // nullptr: no samples of the site, so far.
  const Account* find(uint32_t site) const {
    return site < accounts_.size() ? &accounts_[site] : nullptr;
  }

  // In the end. No samples: of no site.
  bool empty() const { return accounts_.empty(); }
  Account& settle(uint32_t site, uint64_t peak_epoch) {
    return keep_peak(account(site), peak_epoch);
  }

 private:
  static Account& keep_peak(Account& account, uint64_t peak_epoch) {
    if (account.peak_epoch != peak_epoch) {
      account.peak_epoch = peak_epoch;
      account.peak = account.live;
    }
    return account;
  }

  std::vector<Account> accounts_;  // by site
  uint64_t longest_interval_bytes_ = 0;
};

}  // namespace memlens::reader
