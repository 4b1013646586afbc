#include "tests/support/history_oracle.h"

#include <algorithm>
#include <optional>

namespace memlens::testing {

namespace {

struct Block {
  SiteName site;
  uint64_t size_bytes = 0;              // when allocated
  std::map<uint64_t, uint64_t> ranges;  // mappings: begin -> end of what is left
  size_t birth = 0;                     // position in its thread's allocations
  bool selected = true;
  bool counted = false;
  bool before_shutdown = false;

  uint64_t live_bytes() const {
    if (ranges.empty()) return size_bytes;
    uint64_t bytes = 0;
    for (const auto& [begin, end] : ranges) bytes += end - begin;
    return bytes;
  }
};

struct Process {
  std::map<uint64_t, Block> blocks;
  std::map<uint32_t, std::map<uint64_t, Block>> pools;
  std::vector<Block> mappings;
  bool in_shutdown = false;
  bool ended = false;
};

class Oracle {
 public:
  explicit Oracle(const reader::Query& query) : query_(query) {}

  OracleResult run(const std::vector<HistoryEvent>& history) {
    for (size_t i = 0; i < history.size(); ++i) {
      const double seconds = history_seconds(i);
      if (query_.to_seconds && seconds > *query_.to_seconds) break;
      const bool in_range = !query_.from_seconds || seconds >= *query_.from_seconds;
      if (in_range && !in_range_) {
        in_range_ = true;
        if (query_.from_seconds) note_peak(seconds, /*at_least=*/true);
      }
      const HistoryEvent& event = history[i];
      if (query_.pid && *query_.pid != 1000 + static_cast<int>(event.process)) continue;
      // What an undo undoes is the event before it of its thread.
      if (event.action == Action::kUndo) {
        restore(event);
      } else {
        saved_.reset();
        const bool undone = i + 1 < history.size() && history[i + 1].action == Action::kUndo;
        if (undone) save(event);
        apply(event);
      }
      if (in_range) note_peak(seconds, false);
      result_.live_bytes.push_back(live_total());
    }
    for (auto& [name, site] : result_.sites) {
      result_.allocations += site.allocated.blocks;
    }
    // Empty sites say nothing.
    std::erase_if(result_.sites, [](const auto& entry) {
      const OracleSite& s = entry.second;
      return s.peak.blocks + s.allocated.blocks + s.peak.bytes + s.leaked.bytes == 0;
    });
    return result_;
  }

 private:
  using ThreadName = std::pair<uint32_t, uint32_t>;

  // Everything a free can change.
  struct Saved {
    Process process;
    std::map<SiteName, OracleSite> sites;
    uint64_t frees;
    uint64_t unmatched_frees;
  };

  // The histories put no event of any thread between a free and its undo.
  void save(const HistoryEvent& event) {
    saved_ =
        Saved{processes_[event.process], result_.sites, result_.frees, result_.unmatched_frees};
  }

  void restore(const HistoryEvent& event) {
    if (!saved_) return;
    processes_[event.process] = saved_->process;
    const auto peaks = result_.sites;
    result_.sites = saved_->sites;
    for (auto& [name, site] : result_.sites) site.peak = peaks.at(name).peak;
    result_.frees = saved_->frees;
    result_.unmatched_frees = saved_->unmatched_frees;
    saved_.reset();
  }

  bool selected(const HistoryEvent& event) const {
    return !query_.tid || *query_.tid == static_cast<int32_t>(100 * event.process + event.thread);
  }

  void apply(const HistoryEvent& event) {
    Process& process = processes_[event.process];
    switch (event.action) {
      case Action::kAllocate:
        process.blocks[event.address] = make_block(event);
        break;
      case Action::kFree: {
        const auto found = process.blocks.find(event.address);
        if (found == process.blocks.end()) {
          if (in_range_ && selected(event)) ++result_.unmatched_frees;
          break;
        }
        count_free(process, found->second, found->second.size_bytes, true);
        process.blocks.erase(found);
        break;
      }
      case Action::kMap: {
        Block block = make_block(event);
        block.ranges[event.address] = event.address + event.size_bytes;
        process.mappings.push_back(block);
        break;
      }
      case Action::kUnmap:
        unmap(process, event.address, event.address + event.size_bytes);
        break;
      case Action::kShutdown:
        process.in_shutdown = event.size_bytes != 0;
        if (process.in_shutdown) {
          for (auto& [address, block] : process.blocks) block.before_shutdown = true;
          for (auto& [number, blocks] : process.pools) {
            for (auto& [address, block] : blocks) block.before_shutdown = true;
          }
          for (Block& block : process.mappings) block.before_shutdown = true;
        }
        break;
      case Action::kPoolAllocate:
        process.pools[event.pool][event.address] = make_block(event);
        break;
      case Action::kPoolFree: {
        auto& blocks = process.pools[event.pool];
        const auto found = blocks.find(event.address);
        if (found == blocks.end()) {
          if (in_range_ && selected(event)) ++result_.unmatched_frees;
          break;
        }
        count_free(process, found->second, found->second.size_bytes, true);
        blocks.erase(found);
        break;
      }
      case Action::kPoolReset:
        for (const auto& [address, block] : process.pools[event.pool])
          count_free(process, block, block.size_bytes, true);
        process.pools.erase(event.pool);
        break;
      case Action::kProcessEnd:
        process.ended = true;
        break;
      case Action::kUndo:
        break;
    }
  }

  Block make_block(const HistoryEvent& event) {
    Block block;
    block.site = {event.process, event.thread, event.node, static_cast<uint8_t>(event.kind)};
    block.size_bytes = event.size_bytes;
    block.birth = ++allocations_[{event.process, event.thread}];
    block.selected = selected(event);
    block.counted = block.selected && in_range_;
    if (block.selected) {
      OracleSite& site = result_.sites[block.site];
      if (block.counted) {
        site.allocated.bytes += block.size_bytes;
        ++site.allocated.blocks;
        site.leaked.bytes += block.size_bytes;
        ++site.leaked.blocks;
      }
    }
    return block;
  }

  void count_free(const Process& process, const Block& block, uint64_t bytes, bool last) {
    if (!block.counted) return;
    if (process.in_shutdown && block.before_shutdown && !query_.until_exit) return;
    OracleSite& site = result_.sites[block.site];
    site.leaked.bytes -= bytes;
    if (!last) return;
    --site.leaked.blocks;
    ++result_.frees;
    const auto thread = ThreadName(std::get<0>(block.site), std::get<1>(block.site));
    if (allocations_[thread] - block.birth < query_.temporary_threshold) {
      site.temporary.bytes += block.size_bytes;
      ++site.temporary.blocks;
    }
  }

  void unmap(Process& process, uint64_t begin, uint64_t end) {
    for (Block& block : process.mappings) {
      std::map<uint64_t, uint64_t> left;
      uint64_t taken = 0;
      for (const auto& [b, e] : block.ranges) {
        const uint64_t cut_begin = std::clamp(begin, b, e);
        const uint64_t cut_end = std::clamp(end, b, e);
        if (cut_begin >= cut_end) {
          left[b] = e;
          continue;
        }
        taken += cut_end - cut_begin;
        if (b < cut_begin) left[b] = cut_begin;
        if (cut_end < e) left[cut_end] = e;
      }
      if (taken == 0) continue;
      count_free(process, block, taken, left.empty());
      block.ranges = left;
      if (left.empty()) block.size_bytes = 0;  // gone
    }
    std::erase_if(process.mappings, [](const Block& block) { return block.ranges.empty(); });
  }

  uint64_t live_total() const {
    uint64_t bytes = 0;
    for (const auto& [number, process] : processes_) {
      if (process.ended) continue;
      for (const auto& [address, block] : process.blocks)
        bytes += block.selected ? block.live_bytes() : 0;
      for (const auto& [pool, blocks] : process.pools) {
        for (const auto& [address, block] : blocks)
          bytes += block.selected ? block.live_bytes() : 0;
      }
      for (const Block& block : process.mappings) bytes += block.selected ? block.live_bytes() : 0;
    }
    return bytes;
  }

  void note_peak(double seconds, bool at_least) {
    const uint64_t bytes = live_total();
    if (!at_least && bytes <= result_.peak_bytes) return;
    result_.peak_bytes = bytes;
    result_.peak_seconds = seconds;
    for (auto& [name, site] : result_.sites) site.peak = {};
    for (const auto& [number, process] : processes_) {
      if (process.ended) continue;
      for (const auto& [address, block] : process.blocks) add_to_peak(block);
      for (const auto& [pool, blocks] : process.pools) {
        for (const auto& [address, block] : blocks) add_to_peak(block);
      }
      for (const Block& block : process.mappings) add_to_peak(block);
    }
  }

  void add_to_peak(const Block& block) {
    if (!block.selected) return;
    reader::Tally& peak = result_.sites[block.site].peak;
    peak.bytes += block.live_bytes();
    ++peak.blocks;
  }

  const reader::Query& query_;
  OracleResult result_;
  std::map<uint32_t, Process> processes_;
  std::map<ThreadName, size_t> allocations_;
  std::optional<Saved> saved_;
  bool in_range_ = false;
};

}  // namespace

OracleResult work_out(const std::vector<HistoryEvent>& history, const reader::Query& query) {
  return Oracle(query).run(history);
}

std::map<SiteName, OracleSite> sites_by_name(const reader::Analysis& analysis) {
  std::map<SiteName, OracleSite> sites;
  for (const reader::Site& site : analysis.sites) {
    if (site.peak.blocks + site.allocated.blocks + site.peak.bytes + site.leaked.bytes == 0)
      continue;
    sites[{site.process_index, site.thread_index, site.node, static_cast<uint8_t>(site.kind)}] = {
        site.peak, site.leaked, site.temporary, site.allocated};
  }
  return sites;
}

}  // namespace memlens::testing
