// What a history sums up to, worked out plainly: maps, one event after the other, everything copied
// at each new maximum. The tests' second opinion on reader/analysis.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "reader/analysis/analysis.h"
#include "tests/support/history.h"

namespace memlens::testing {

// (process, thread, node, kind)
using SiteName = std::tuple<uint32_t, uint32_t, uint32_t, uint8_t>;

struct OracleSite {
  reader::Tally peak, leaked, temporary, allocated;
};

struct OracleResult {
  std::map<SiteName, OracleSite> sites;  // those with anything in them
  uint64_t allocations = 0;
  uint64_t frees = 0;
  uint64_t peak_bytes = 0;
  double peak_seconds = 0;
  uint64_t unmatched_frees = 0;
  std::vector<uint64_t> live_bytes;  // after each event
};

OracleResult work_out(const std::vector<HistoryEvent>& history, const reader::Query& query);

// The reader's sites in the oracle's form.
std::map<SiteName, OracleSite> sites_by_name(const reader::Analysis& analysis);

}  // namespace memlens::testing
