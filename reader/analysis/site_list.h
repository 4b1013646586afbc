// From the accounts of sites to those of an analysis.
#pragma once

#include <span>

#include "reader/analysis/accounts.h"
#include "reader/analysis/results.h"
#include "reader/capture/capture.h"

namespace memlens::reader {

struct StreamName {
  uint32_t process;
  uint32_t thread;
};

// Fills in analysis.sites and by_allocator. `streams`: by the accounts' number of the stream.
void list_sites(const Capture::Impl& impl, Accounts& accounts, std::span<const StreamName> streams,
                Analysis& analysis);

}  // namespace memlens::reader
