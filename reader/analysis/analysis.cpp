// The pass over the events: processes side by side by time, each in its own exact order.

#include "reader/analysis/analysis.h"

#include <algorithm>
#include <deque>
#include <memory>

#include "reader/analysis/accounts.h"
#include "reader/analysis/marked_ranges.h"
#include "reader/analysis/process_accounts.h"
#include "reader/analysis/site_list.h"
#include "reader/capture/capture_impl.h"
#include "reader/events/process_merge.h"
#include "reader/events/sound_streams.h"

namespace memlens::reader {

namespace {

struct Process {
  Process(Accounts& accounts, uint32_t number, const Query& query, bool from_nothing)
      : accounts(accounts, number, query, from_nothing), merge(this->accounts) {}

  ProcessAccounts accounts;
  ProcessMerge<ProcessAccounts> merge;
  uint64_t end_ticks = UINT64_MAX;      // when its memory went with it; not known: it lives on
  uint64_t next_ticks = 0;              // of its next event, or its end
  uint64_t may_end_ticks = UINT64_MAX;  // from then on; UINT64_MAX: it ended just at end_ticks
  bool has_events = true;
  bool begun = false;
  bool is_fork = false;
};

class Pass {
 public:
  // `untouched`: by process index; nullptr: not known yet. `from_nothing`: see analyze_range().
  Pass(const Capture::Impl& impl, const Query& query, const UntouchedOfProcesses* untouched,
       bool from_nothing = false)
      : impl_(impl),
        untouched_(untouched),
        query_(query),
        from_nothing_(from_nothing),
        queue_(impl.source),
        accounts_(range_of(impl, query), query.timeline_points) {}

  Analysis run() {
    if (query_.range_buckets > 0) accounts_.record_ranges(query_.range_buckets);
    add_streams();
    if (query_.growth_marks > 0) accounts_.mark_growth(query_.growth_marks, last_end_ticks());
    run_processes();
    if (last_was_killed()) accounts_.tell_killed();
    Analysis analysis;
    accounts_.finish(impl_.clock, analysis);
    if (analysis.ranges) name_processes(*analysis.ranges);
    list_marks(analysis);
    for (const auto& process : processes_) {
      analysis.totals.events += process->accounts.events();
      const uint64_t unmatched = process->accounts.unmatched_frees();
      analysis.totals.unmatched_frees += unmatched;
      if (process->is_fork) analysis.totals.inherited_frees += unmatched;
      analysis.totals.replaced_blocks += process->accounts.replaced_blocks();
    }
    analysis.totals.lost_events = lost_events_;
    tell_untouched(analysis.totals);
    list_sites(impl_, accounts_, streams_, analysis);
    return analysis;
  }

  // After run(): of processes with mappings that were not all touched.
  UntouchedOfProcesses untouched() {
    UntouchedOfProcesses found;
    for (size_t i = 0; i < processes_.size(); ++i) {
      processes_[i]->accounts.compare_mappings();
      const UntouchedBytes& own = processes_[i]->accounts.found_untouched();
      if (!own.empty()) found[process_indexes_[i]] = own;
    }
    return found;
  }

 private:
  static Accounts::Range range_of(const Capture::Impl& impl, const Query& query) {
    Accounts::Range range;
    range.timeline_from_ticks = impl.index.first_ticks;
    range.timeline_to_ticks = impl.index.last_ticks;
    if (query.from_seconds && *query.from_seconds > 0) {
      range.from_ticks = impl.clock.ticks_at(*query.from_seconds);
      range.timeline_from_ticks = std::max(range.timeline_from_ticks, range.from_ticks);
    }
    if (query.to_seconds) {
      range.to_ticks = impl.clock.ticks_at(std::max(0.0, *query.to_seconds));
      range.timeline_to_ticks = std::min(range.timeline_to_ticks, range.to_ticks);
    }
    return range;
  }

  // Of analyze_range(), the chunks that can hold events of the range.
  const EventStream& chunks_of(const EventStream& stream) {
    if (!from_nothing_) return stream;
    const Accounts::Range range = range_of(impl_, query_);
    return parts_.emplace_back(chunks_between(stream, range.from_ticks, range.to_ticks));
  }

  void add_streams() {
    Process* process = nullptr;
    uint32_t process_index = 0;
    for (const EventStream& whole : impl_.readable_streams()) {
      const EventStream& stream = chunks_of(whole);
      const auto metadata = impl_.metadata.find(stream.process);
      const ProcessMetadata* known = metadata != impl_.metadata.end() ? &metadata->second : nullptr;
      if (query_.pid && (known == nullptr || known->pid != *query_.pid)) continue;
      if (process == nullptr || stream.process != process_index) {
        const auto number = static_cast<uint32_t>(processes_.size());
        processes_.push_back(std::make_unique<Process>(accounts_, number, query_, from_nothing_));
        process_indexes_.push_back(stream.process);
        process = processes_.back().get();
        process_index = stream.process;
        process->end_ticks = impl_.process_end_ticks(process_index);
        if (const CarriedEpoch* carried = impl_.carried.epoch_of(process_index))
          process->merge.go_on_from(carried->epoch, carried->counters);
        const auto earliest = impl_.earliest_end_ticks.find(process_index);
        if (earliest != impl_.earliest_end_ticks.end()) process->may_end_ticks = earliest->second;
        if (known != nullptr) process->accounts.compare_with(known->resident_memory);
        if (untouched_ != nullptr && untouched_->contains(process_index))
          process->accounts.set_untouched(&untouched_->at(process_index));
        process->is_fork = known != nullptr && known->origin == format::ProcessOrigin::kFork;
      }
      const ThreadRecord* thread = known != nullptr ? known->thread(stream.thread) : nullptr;
      const bool selected = !query_.tid || (thread != nullptr && thread->tid == *query_.tid);
      const uint32_t number = process->accounts.add_stream(selected);
      process->merge.add_stream(
          std::make_unique<StreamCursor>(impl_.source, stream, queue_, number, impl_.latest_ticks));
      streams_.push_back({stream.process, stream.thread});
      if (selected) lost_events_ += stream.lost_events;
    }
    for (auto& added : processes_) added->next_ticks = added->merge.next_ticks();
  }

  // UINT64_MAX: of one it is not known.
  uint64_t last_end_ticks() const {
    uint64_t last = 0;
    for (const auto& process : processes_) last = std::max(last, process->end_ticks);
    return processes_.empty() ? UINT64_MAX : last;
  }

  // The interpreter may end by a signal when all is put away.
  bool last_was_killed() const {
    const auto last = std::ranges::max_element(processes_, {}, &Process::end_ticks);
    if (last == processes_.end()) return false;
    const auto number = static_cast<uint32_t>(last - processes_.begin());
    const ProcessInfo* info = impl_.process(process_indexes_[number]);
    return info != nullptr && info->signal &&
           std::ranges::find(accounts_.shutdowns(), number, &Accounts::ShutdownAccount::process) ==
               accounts_.shutdowns().end();
  }

  static bool runs_later(const Process* a, const Process* b) {
    return a->next_ticks > b->next_ticks;
  }

  // Always the process whose next event is the earliest, until it has caught up with the next one.
  void run_processes() {
    std::vector<Process*> heap;
    for (auto& process : processes_) heap.push_back(process.get());
    std::make_heap(heap.begin(), heap.end(), runs_later);
    while (!heap.empty() && !accounts_.finished()) {
      std::pop_heap(heap.begin(), heap.end(), runs_later);
      Process& process = *heap.back();
      heap.pop_back();
      const uint64_t others_ticks = heap.empty() ? UINT64_MAX : heap.front()->next_ticks;
      if (!process.has_events) {
        accounts_.set_time(process.next_ticks);
        if (!accounts_.finished()) process.accounts.end_process();
        std::erase(perhaps_ended_, &process);
        continue;
      }
      const uint64_t peak_epoch_before = accounts_.peak_epoch();
      if (!process.begun) ++running_;
      process.begun = true;
      process.has_events = process.merge.run_until(others_ticks);
      if (!process.has_events) --running_;
      if (accounts_.finished()) break;
      // Events of two processes within one step of their clocks can have been in either order.
      const bool others_run = running_ > (process.has_events ? 1u : 0u);
      // One that had ended when the next one began is none of them.
      const bool next_begins = !heap.empty() && heap.front()->has_events &&
                               accounts_.peak_is_now() &&
                               (process.has_events || process.end_ticks > heap.front()->next_ticks);
      if (accounts_.peak_epoch() != peak_epoch_before && (others_run || next_begins))
        accounts_.mark_peak_inexact();
      if (accounts_.peak_epoch() != peak_epoch_before && peak_counts_perhaps_ended())
        accounts_.mark_peak_may_count_ended();
      if (!process.has_events && process.may_end_ticks != UINT64_MAX) {
        process.may_end_ticks = std::max(process.may_end_ticks, accounts_.now_ticks());
        perhaps_ended_.push_back(&process);
      }
      process.next_ticks = process.has_events ? process.merge.next_ticks() : process.end_ticks;
      if (!process.has_events && process.end_ticks == UINT64_MAX) continue;
      heap.push_back(&process);
      std::push_heap(heap.begin(), heap.end(), runs_later);
    }
  }

  bool peak_counts_perhaps_ended() const {
    return std::ranges::any_of(perhaps_ended_, [&](const Process* process) {
      return accounts_.peak_ticks() >= process->may_end_ticks;
    });
  }

  void tell_untouched(Totals& totals) const {
    for (const uint32_t index : process_indexes_) {
      const auto known = impl_.metadata.find(index);
      if (known == impl_.metadata.end() || known->second.resident_memory.ticks == 0) continue;
      if (!totals.untouched_at_peak_bytes) totals.untouched_at_peak_bytes = 0;
    }
  }

  void name_processes(RangeMatrix& ranges) const {
    for (size_t i = 0; i < ranges.processes.size(); ++i) {
      ranges.processes[i].process_index = process_indexes_[i];
    }
  }

  void list_marks(Analysis& analysis) const {
    for (const auto& [ticks, process] : accounts_.shutdowns()) {
      analysis.shutdowns.push_back(
          {std::max(0.0, impl_.clock.seconds_at(ticks)), process_indexes_[process]});
    }
    for (const auto& [ticks, process, name] : accounts_.marks()) {
      const uint32_t index = process_indexes_[process];
      const auto known = impl_.metadata.find(index);
      const std::string_view text =
          known != impl_.metadata.end() ? known->second.strings.get(name) : std::string_view();
      analysis.marks.push_back(
          {std::max(0.0, impl_.clock.seconds_at(ticks)), index, std::string(text)});
    }
    for (const Mark& mark : impl_.info.marks) {
      if (mark.seconds >= query_.from_seconds.value_or(0) &&
          mark.seconds <= query_.to_seconds.value_or(mark.seconds)) {
        analysis.marks.push_back(mark);
      }
    }
    std::ranges::stable_sort(analysis.marks, {}, &Mark::seconds);
  }

  const Capture::Impl& impl_;
  const UntouchedOfProcesses* untouched_;
  const Query& query_;
  const bool from_nothing_;
  std::deque<EventStream> parts_;  // of the streams, where not all of them is read
  ChunkQueue queue_;
  Accounts accounts_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<uint32_t> process_indexes_;  // of processes_
  std::vector<StreamName> streams_;        // by the accounts' number of the stream
  std::vector<const Process*>
      perhaps_ended_;     // no more events, and a time of end not known exactly
  unsigned running_ = 0;  // processes that have begun and have more events
  uint64_t lost_events_ = 0;
};

}  // namespace

// Which mappings live to the end is known in the end only, and what they count for must be known
// from their beginning: a pass to find out comes before, where a process told of such.
Analysis analyze(const Capture& capture, const Query& query) {
  const Capture::Impl& impl = capture.impl();
  const bool any = std::ranges::any_of(impl.metadata, [](const auto& process) {
    return !process.second.resident_memory.ranges.empty();
  });
  const auto run = [&] {
    UntouchedOfProcesses untouched;
    if (any) {
      Query whole;
      whole.pid = query.pid;
      whole.timeline_points = 1;
      Pass first(impl, whole, nullptr);
      first.run();
      untouched = first.untouched();
    }
    Analysis analysis = Pass(impl, query, &untouched).run();
    analysis.left_out = impl.left_out_events();
    return analysis;
  };
  try {
    return run();
  } catch (const StreamDamage&) {
    impl.leave_out_damaged_chunks();
  }
  return run();
}

Analysis analyze_range(const Capture& capture, const Query& query) {
  const Capture::Impl& impl = capture.impl();
  const auto run = [&] {
    const UntouchedOfProcesses none;
    Analysis analysis = Pass(impl, query, &none, true).run();
    analysis.left_out = impl.left_out_events();
    return analysis;
  };
  try {
    return run();
  } catch (const StreamDamage&) {
    impl.leave_out_damaged_chunks();
  }
  return run();
}

}  // namespace memlens::reader
