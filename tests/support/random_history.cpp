#include "tests/support/random_history.h"

#include <algorithm>
#include <map>
#include <random>

namespace memlens::testing {

using format::AllocationKind;

namespace {

constexpr uint64_t kPage = 4096;

class Generator {
 public:
  Generator(const RandomHistoryOptions& options, uint64_t seed)
      : options_(options), random_(seed), processes_(options.processes) {}

  std::vector<HistoryEvent> run() {
    while (history_.size() < options_.events) {
      if (below(options_.thread_run) == 0) {
        process_ = below(options_.processes);
        thread_ = 1 + below(options_.threads);
      }
      if (options_.process_ends) end_processes();
      if (processes_[process_].ended) {
        process_ = options_.processes - 1;
        if (processes_[process_].ended) break;
      }
      if (options_.shutdown && !began_shutdown_ && process_ == 0 &&
          history_.size() > options_.events * 3 / 4) {
        began_shutdown_ = true;
        add(Action::kShutdown, 0, 1);
      }
      step();
    }
    return history_;
  }

 private:
  struct Process {
    std::vector<uint64_t> blocks;                     // addresses
    std::map<uint64_t, uint64_t> mapped;              // begin -> end
    std::map<uint32_t, std::vector<uint64_t>> pools;  // addresses of blocks
    bool ended = false;
  };

  uint32_t below(uint64_t limit) { return static_cast<uint32_t>(random_() % limit); }

  void add(Action action, uint64_t address, uint64_t size_bytes) {
    HistoryEvent event;
    event.action = action;
    event.process = process_ + 1;
    event.thread = thread_;
    event.address = address;
    event.size_bytes = size_bytes;
    event.node = below(options_.nodes);
    event.kind =
        action == Action::kMap ? AllocationKind::kMmap : static_cast<AllocationKind>(below(18));
    history_.push_back(event);
  }

  void end_processes() {
    for (uint32_t i = 0; i < options_.processes; ++i) {
      if (processes_[i].ended || history_.size() < options_.events * (i + 1) / options_.processes)
        continue;
      const uint32_t process = process_;
      process_ = i;
      processes_[i].ended = true;
      add(Action::kProcessEnd, 0, 0);
      process_ = process;
    }
  }

  void step() {
    Process& process = processes_[process_];
    if (options_.pools && below(3) == 0) return use_pool(process);
    const unsigned dice = below(100);
    // Phases of growing and shrinking, so that there are several maxima.
    const bool growing = history_.size() / 150 % 2 == 0;
    if (options_.mappings && dice < 6) {
      map(process);
    } else if (options_.mappings && dice < 12) {
      unmap(process);
    } else if (options_.unmatched_frees && dice < 14) {
      add(Action::kFree, 0x7000'0000'0000 + 16 * below(1000), 0);
    } else if (process.blocks.empty() ||
               (dice < (growing ? 66u : 48u) && process.blocks.size() < 300)) {
      allocate(process);
    } else {
      free(process);
    }
  }

  // Pools at the same addresses, which are those of other blocks, too.
  void use_pool(Process& process) {
    const uint32_t pool = 1 + below(5);
    std::vector<uint64_t>& blocks = process.pools[pool];
    const unsigned dice = below(100);
    if (dice < 3 || blocks.size() > 150) {
      add(Action::kPoolReset, 0, 0);
      blocks.clear();
    } else if (dice < 6) {
      add(Action::kPoolFree, 0x7000'0000'0000, 0);
    } else if (dice < 60 || blocks.empty()) {
      uint64_t address;
      do {
        address = 0x10000 + below(200) * 24;
      } while (std::count(blocks.begin(), blocks.end(), address) != 0);
      add(Action::kPoolAllocate, address, below(1000));
      blocks.push_back(address);
    } else {
      const size_t index = below(blocks.size());
      add(Action::kPoolFree, blocks[index], 0);
      blocks.erase(blocks.begin() + static_cast<long>(index));
    }
    history_.back().pool = pool;
  }

  void allocate(Process& process) {
    // Few addresses, so that they are given out again soon, over many shards; some are unaligned.
    uint64_t address;
    do {
      const uint64_t number = below(400);
      address = 0x10000 + number * 0x1a30 / 16 * 16 + (number % 50 == 0 ? 8 : 0);
    } while (std::count(process.blocks.begin(), process.blocks.end(), address) != 0);
    const unsigned dice = below(50);
    const uint64_t size_bytes = dice == 0   ? (uint64_t{5} << 30)
                                : dice < 10 ? below(100'000)
                                            : 8 * below(6);
    add(Action::kAllocate, address, size_bytes);
    process.blocks.push_back(address);
  }

  void free(Process& process) {
    // Young blocks die first, mostly.
    const size_t count = process.blocks.size();
    const size_t index =
        below(2) == 0 ? count - 1 - below(std::min<size_t>(count, 3)) : below(count);
    const uint64_t address = process.blocks[index];
    add(Action::kFree, address, 0);
    if (options_.undos && below(15) == 0) {
      add(Action::kUndo, 0, 0);
      return;
    }
    process.blocks.erase(process.blocks.begin() + static_cast<long>(index));
  }

  void map(Process& process) {
    const uint64_t begin = 0x6000'0000'0000 + kPage * below(300);
    const uint64_t end = begin + kPage * (1 + below(20));
    if (overlaps(process, begin, end)) return;
    add(Action::kMap, begin, end - begin);
    process.mapped[begin] = end;
  }

  bool overlaps(const Process& process, uint64_t begin, uint64_t end) const {
    return std::any_of(process.mapped.begin(), process.mapped.end(),
                       [&](const auto& r) { return r.first < end && begin < r.second; });
  }

  // Any range: a part of one mapping, several, or nothing that is mapped.
  void unmap(Process& process) {
    const uint64_t begin = 0x6000'0000'0000 + kPage * below(300);
    const uint64_t end = begin + kPage * (1 + below(25));
    add(Action::kUnmap, begin, end - begin);
    if (options_.undos && below(6) == 0) {
      add(Action::kUndo, 0, 0);
      return;
    }
    std::map<uint64_t, uint64_t> left;
    for (const auto& [b, e] : process.mapped) {
      if (e <= begin || end <= b) {
        left[b] = e;
      } else {
        if (b < begin) left[b] = begin;
        if (end < e) left[end] = e;
      }
    }
    process.mapped = left;
  }

  const RandomHistoryOptions& options_;
  std::mt19937_64 random_;
  std::vector<Process> processes_;
  std::vector<HistoryEvent> history_;
  uint32_t process_ = 0;
  uint32_t thread_ = 1;
  bool began_shutdown_ = false;
};

}  // namespace

std::vector<HistoryEvent> random_history(const RandomHistoryOptions& options, uint64_t seed) {
  return Generator(options, seed).run();
}

}  // namespace memlens::testing
