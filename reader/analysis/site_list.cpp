#include "reader/analysis/site_list.h"

#include "reader/capture/capture_impl.h"

namespace memlens::reader {
namespace {

void add_variances(const SampleAccounts::Account& account, Site& site) {
  SampleVariance leaked = account.allocated;
  leaked -= account.freed;
  site.peak.variance = Variance(account.peak);
  site.leaked.variance = Variance(leaked);
  site.temporary.variance = Variance(account.temporary);
  site.allocated.variance = Variance(account.allocated);
}

// Processes number for themselves what they register.
format::AllocationKind capture_kind(const Capture::Impl& impl, uint32_t process,
                                    format::AllocationKind kind) {
  if (static_cast<unsigned>(kind) < format::kFirstRegisteredKind) return kind;
  const auto known = impl.metadata.find(process);
  return known != impl.metadata.end() ? known->second.capture_kind(kind) : kind;
}

}  // namespace

void list_sites(const Capture::Impl& impl, Accounts& accounts, std::span<const StreamName> streams,
                Analysis& analysis) {
  const SiteTable& sites = accounts.sites();
  analysis.sites.reserve(sites.size());
  const HeapTable& heaps = impl.info.heaps;
  analysis.totals.by_allocator.assign(heaps.heaps().size(), {});
  for (uint32_t i = 0; i < sites.size(); ++i) {
    const SiteAccount& account = sites[i];
    Site site;
    site.process_index = streams[account.stream].process;
    site.thread_index = streams[account.stream].thread;
    site.node = account.node;
    site.kind = capture_kind(impl, site.process_index, account.kind);
    site.peak = {account.peak_bytes, account.peak_blocks};
    site.leaked = {account.allocated_bytes - account.freed_bytes,
                   account.allocated_blocks - account.freed_blocks};
    site.temporary = {account.temporary_bytes, account.temporary_blocks};
    site.allocated = {account.allocated_bytes, account.allocated_blocks};
    AllocatorTotals& heap = analysis.totals.by_allocator[heaps.heap_of(site.kind)];
    heap.allocations += site.allocated.blocks;
    heap.allocated_bytes += site.allocated.bytes;
    heap.peak_bytes += site.peak.bytes;
    heap.leaked_bytes += site.leaked.bytes;
    if (!accounts.samples().empty()) add_variances(accounts.samples().account(i), site);
    analysis.sites.push_back(site);
  }
}

}  // namespace memlens::reader
