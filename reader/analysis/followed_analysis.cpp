#include "reader/analysis/followed_analysis.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "reader/analysis/process_accounts.h"
#include "reader/capture/capture_impl.h"
#include "reader/capture/capture_opener.h"
#include "reader/events/chunk_queue.h"
#include "reader/events/process_merge.h"

namespace memlens::reader {

struct FollowedStream {
  EventStream events;
  StreamCursor* cursor = nullptr;  // its process's merge owns it
};

struct FollowedProcess {
  FollowedProcess(Accounts& accounts, uint32_t number)
      : accounts(accounts, number, Query(), /*from_nothing=*/false), merge(this->accounts) {
    merge.keep_streams();
  }

  // UINT64_MAX: nothing is known to come.
  uint64_t next_ticks() const { return has_events ? merge.next_ticks() : end_ticks; }

  ProcessAccounts accounts;
  ProcessMerge<ProcessAccounts> merge;
  uint64_t end_ticks = UINT64_MAX;
  bool has_events = true;
  bool ended = false;
};

namespace {

// Frames that were read are of no use any more; a recording may go on for weeks.
constexpr size_t kFramesKept = 256;

}  // namespace

FollowedAnalysis::FollowedAnalysis(const std::string& path)
    : capture_(Capture::Impl::unread(path)),
      opener_(std::make_unique<CaptureOpener>(Capture::Impl::of(capture_), no_cache_)),
      accounts_(Accounts::Range{}, /*timeline_points=*/0),
      queue_(std::make_unique<ChunkQueue>(capture_.impl().source, /*max_threads=*/0)) {
  look_again();
}

FollowedAnalysis::~FollowedAnalysis() {
  processes_.clear();  // their cursors give their chunks back to the queue
}

FollowedProcess& FollowedAnalysis::process_of(uint32_t index) {
  std::unique_ptr<FollowedProcess>& process = processes_[index];
  if (process == nullptr) {
    process =
        std::make_unique<FollowedProcess>(accounts_, static_cast<uint32_t>(processes_.size() - 1));
    if (const CarriedEpoch* carried = capture_.impl().carried.epoch_of(index))
      process->merge.go_on_from(carried->epoch, carried->counters);
  }
  return *process;
}

FollowedStream& FollowedAnalysis::stream_of(uint32_t process_index, uint32_t thread) {
  std::unique_ptr<FollowedStream>& stream = streams_[{process_index, thread}];
  if (stream == nullptr) {
    stream = std::make_unique<FollowedStream>();
    stream->events.process = process_index;
    stream->events.thread = thread;
  }
  return *stream;
}

// The collector takes chunks as they lie in the segment, not as a thread filled them, and a frame
// that says so far ends what it has found: only then are a thread's chunks without a gap.
void FollowedAnalysis::find_frames() {
  const Capture::Impl& impl = capture_.impl();
  const auto is_complete = [&] { return impl.index.so_far_ticks != complete_until_; };
  opener_->follow([&](const FrameRef& frame) {
    if (is_complete()) add_found(/*more_will_come=*/true);
    found_.push_back({frame});
  });
  const bool asked = impl.index.so_far_ticks != 0;
  if (!impl.info.running || !asked || is_complete()) add_found(impl.info.running && asked);
}

void FollowedAnalysis::add_found(bool more_will_come) {
  complete_until_ = capture_.impl().index.so_far_ticks;
  std::ranges::stable_sort(found_, {}, [](const FoundFrame& found) {
    return std::pair(!found.frame.carried, found.frame.sequence);
  });
  std::vector<FoundFrame> waiting;
  for (FoundFrame& found : found_) {
    const std::vector<FrameRef>& frames =
        stream_of(found.frame.process, found.frame.thread).events.frames;
    // The thread went on while the collector looked, and what it did here is later than so far. The
    // rest of the chunk before comes with the next; with none that was left by a signal handler.
    const bool is_early = !frames.empty() && frames.back().unfinished &&
                          frames.back().sequence < found.frame.sequence;
    if (more_will_come && is_early && !found.has_waited) {
      found.has_waited = true;
      waiting.push_back(found);
    } else {
      add_frame(found.frame);
    }
  }
  found_ = std::move(waiting);
}

void FollowedAnalysis::add_frame(const FrameRef& found) {
  FollowedStream& stream = stream_of(found.process, found.thread);
  std::vector<FrameRef>& frames = stream.events.frames;
  FrameRef frame = found;
  frame.unfinished = frame.kind == format::FrameKind::kUnfinishedEvents;
  frame.kind = format::FrameKind::kEvents;
  const auto same = std::find_if(frames.rbegin(), frames.rend(), [&](const FrameRef& each) {
    return each.carried || each.sequence <= frame.sequence;
  });
  if (frame.carried) {
    frames.push_back(frame);  // before all others, in order
  } else if (same != frames.rend() && !same->carried && same->sequence == frame.sequence) {
    if (same->unfinished) *same = frame;
  } else if (same == frames.rbegin()) {
    lost_events_ += frame.lost_events;
    frames.push_back(frame);
  }  // else it is one that was left behind by a signal handler, and its time is over
  if (stream.cursor != nullptr || frames.empty()) return;
  FollowedProcess& process = process_of(found.process);
  const uint32_t number = process.accounts.add_stream(/*selected=*/true);
  stream_names_.resize(process.accounts.global_stream(number) + 1);
  stream_names_.back() = {found.process, found.thread};
  auto cursor = std::make_unique<StreamCursor>(capture_.impl().source, stream.events, *queue_,
                                               number, capture_.impl().latest_ticks);
  stream.cursor = cursor.get();
  process.merge.add_stream(std::move(cursor));
}

void FollowedAnalysis::look_again() {
  for (auto& [key, stream] : streams_) {
    const size_t passed = stream->cursor != nullptr ? stream->cursor->frames_passed() : 0;
    if (passed < kFramesKept) continue;
    std::vector<FrameRef>& frames = stream->events.frames;
    frames.erase(frames.begin(), frames.begin() + static_cast<ptrdiff_t>(passed));
    stream->cursor->frames_removed(passed);
  }
  find_frames();
  for (auto& [key, stream] : streams_) {
    if (stream->cursor == nullptr) continue;
    stream->cursor->set_latest_ticks(capture_.impl().latest_ticks);
    stream->cursor->set_known_until(horizon_ticks());
  }
  for (auto& [index, process] : processes_) {
    process->end_ticks = capture_.impl().process_end_ticks(index);
    process->merge.resume();
    process->has_events = process->merge.next_ticks() != UINT64_MAX;
  }
}

uint64_t FollowedAnalysis::horizon_ticks() const {
  const Capture::Impl& impl = capture_.impl();
  if (!impl.info.running) return UINT64_MAX;
  const uint64_t ticks =
      impl.index.so_far_ticks != 0 ? impl.index.so_far_ticks : impl.index.last_ticks;
  return ticks == 0 ? 0 : ticks - 1;
}

bool FollowedAnalysis::is_exact() const {
  return !capture_.info().running || capture_.impl().index.so_far_ticks != 0;
}

size_t FollowedAnalysis::nodes_known() const {
  size_t nodes = 0;
  for (const auto& [index, metadata] : capture_.impl().metadata) nodes += metadata.nodes.size();
  return nodes;
}

void FollowedAnalysis::forget_resolved() {
  Capture::Impl& impl = Capture::Impl::of(capture_);
  for (auto& [index, metadata] : impl.metadata) metadata.symbols.clear();
  impl.frames_of_places.clear();
}

double FollowedAnalysis::horizon_seconds() const {
  const uint64_t ticks = horizon_ticks();
  const CaptureInfo& info = capture_.info();
  return ticks == UINT64_MAX ? info.duration_seconds
                             : std::max(0.0, capture_.impl().clock.seconds_at(ticks));
}

void FollowedAnalysis::update() {
  look_again();
  advance(std::numeric_limits<double>::infinity());
}

// Always the process whose next event is the earliest, until it has caught up with the next one.
bool FollowedAnalysis::advance(double until_seconds) {
  const uint64_t horizon = horizon_ticks();
  const uint64_t limit =
      std::isfinite(until_seconds)
          ? std::min(horizon, capture_.impl().clock.ticks_at(std::max(0.0, until_seconds)))
          : horizon;
  for (;;) {
    FollowedProcess* next = nullptr;
    uint64_t others_ticks = limit;
    for (auto& [index, process] : processes_) {
      const uint64_t ticks = process->ended ? UINT64_MAX : process->next_ticks();
      if (ticks == UINT64_MAX) continue;
      if (next == nullptr || ticks < next->next_ticks()) {
        if (next != nullptr) others_ticks = std::min(others_ticks, next->next_ticks());
        next = process.get();
      } else {
        others_ticks = std::min(others_ticks, ticks);
      }
    }
    if (next == nullptr || next->next_ticks() > limit)
      return next != nullptr && next->next_ticks() <= horizon;
    if (next->has_events) {
      next->has_events = next->merge.run_until(others_ticks);
    } else {
      accounts_.set_time(next->end_ticks);
      next->accounts.end_process();
      next->ended = true;
    }
  }
}

std::optional<FollowedAnalysis::Continuation> FollowedAnalysis::continuation() const {
  const Capture::Impl& impl = capture_.impl();
  Continuation result;
  result.ticks = impl.index.so_far_ticks;
  std::map<uint32_t, std::map<uint32_t, CarriedChunk>> chunks;
  impl.carried.for_each_chunk([&](uint32_t process, uint32_t thread, const CarriedChunk& chunk) {
    chunks[process][thread] = chunk;
  });
  for (const auto& [key, stream] : streams_) {
    const auto& [process, thread] = key;
    if (stream->cursor == nullptr) continue;
    CarriedChunk chunk;
    uint64_t counted = 0;
    if (!stream->cursor->place(chunk.sequence, counted)) {
      if (!stream->cursor->over()) return {};
      continue;  // what was carried over of its place still holds
    }
    chunk.counted_events = static_cast<uint32_t>(counted);
    chunks[process][thread] = chunk;
  }
  for (const auto& [index, metadata] : impl.metadata) {
    if (index == 0 || impl.process_end_ticks(index) != UINT64_MAX) continue;
    Continuation::Process process;
    process.index = index;
    if (const auto followed = processes_.find(index); followed != processes_.end()) {
      process.order = {followed->second->merge.epoch(), followed->second->merge.counters()};
    } else if (const CarriedEpoch* carried = impl.carried.epoch_of(index)) {
      process.order = *carried;
    }
    for (const auto& [thread, chunk] : chunks[index]) process.threads.push_back({thread, chunk});
    result.processes.push_back(std::move(process));
  }
  return result;
}

void FollowedAnalysis::visit_live(uint32_t process,
                                  const std::function<void(const LiveVisit&)>& visit) const {
  const auto followed = processes_.find(process);
  if (followed == processes_.end()) return;
  followed->second->accounts.for_each_live([&](LiveVisit live) {
    live.thread = stream_names_[live.thread].thread;
    visit(live);
  });
}

Analysis FollowedAnalysis::so_far() {
  Analysis analysis;
  accounts_.finish(capture_.impl().clock, analysis);
  Totals& totals = analysis.totals;
  for (const auto& [index, process] : processes_) {
    totals.events += process->accounts.events();
    const uint64_t unmatched = process->accounts.unmatched_frees();
    totals.unmatched_frees += unmatched;
    const auto known = capture_.impl().metadata.find(index);
    if (known != capture_.impl().metadata.end() &&
        known->second.origin == format::ProcessOrigin::kFork)
      totals.inherited_frees += unmatched;
    totals.replaced_blocks += process->accounts.replaced_blocks();
  }
  totals.lost_events = lost_events_;
  list_sites(capture_.impl(), accounts_, stream_names_, analysis);
  return analysis;
}

}  // namespace memlens::reader
