#include "interposer/collector/recording.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "interposer/collector/clock.h"
#include "interposer/collector/process_files.h"
#include "interposer/format/metadata_records.h"
#include "interposer/format/primitives.h"
#include "interposer/platform/clock.h"
#include "interposer/platform/futex.h"

namespace memlens::collector {

using Json = nlohmann::ordered_json;

namespace {

constexpr int64_t kTickIntervalNs = 10'000'000;
constexpr int64_t kFirstClockIntervalNs = 1'000'000'000;
constexpr int64_t kLastClockIntervalNs = 60'000'000'000;
// A child that carries our session but has not joined gets this long, from its parent's death: a
// machine under load takes its time to start a program. After that it is one that never joins.
constexpr int64_t kChildPatienceNs = 2'000'000'000;
// The same where a birth was announced and no such child can be seen.
constexpr int64_t kBirthPatienceNs = 300'000'000;
constexpr int64_t kSearchIntervalNs = 20'000'000;
// How often, once the program has ended, what still lives is asked whether it takes part.
constexpr int64_t kStrangerIntervalNs = 1'000'000'000;

uint32_t option_bits(const RecordingOptions& options) {
  uint32_t bits = 0;
  if (options.native) bits |= segment::kOptionNative;
  if (options.python_allocators) bits |= segment::kOptionPythonAllocators;
  if (options.follow) bits |= segment::kOptionFollow;
  if (options.mark_on_signal) bits |= segment::kOptionMarkOnSignal;
  return bits;
}

// File names and arguments are any bytes; JSON is UTF-8.
std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void add_status(Json& json, const ExitStatus& status) {
  json["exit_code"] = or_null(status.exit_code);
  json["signal"] = or_null(status.signal);
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// A metadata payload with one diagnostic.
std::vector<uint8_t> diagnostic_record(format::DiagnosticCode code, const std::string& text) {
  std::vector<uint8_t> body(2 * format::kMaxVarintBytes);
  uint8_t* end = format::encode_varint(body.data(), static_cast<uint64_t>(code));
  end = format::encode_varint(end, text.size());
  body.resize(static_cast<size_t>(end - body.data()));
  body.insert(body.end(), text.begin(), text.end());
  std::vector<uint8_t> record(1 + format::kMaxVarintBytes);
  record[0] = static_cast<uint8_t>(format::MetadataType::kDiagnostic);
  end = format::encode_varint(record.data() + 1, body.size());
  record.resize(static_cast<size_t>(end - record.data()));
  record.insert(record.end(), body.begin(), body.end());
  return record;
}

}  // namespace

Recording::Recording(const RecordingOptions& options)
    : options_(options),
      segment_(option_bits(options)),
      control_(segment_.header()->nonce),
      watch_(segment_.header()),
      questions_(segment_.header()),
      clock_interval_ns_(kFirstClockIntervalNs) {
  sample_interval_ = options.sample_bytes;
  segment_.header()->sample_interval.store(sample_interval_);
  segment_.header()->steady_ticks_per_us = steady_ticks_per_us();
  // For checks that must not depend on luck.
  const char* seed = getenv("MEMLENS_SAMPLE_SEED");
  segment_.header()->sample_seed = seed != nullptr ? strtoull(seed, nullptr, 0) : segment_.nonce();
}

Recording::~Recording() {
  if (!ended_) stop();
}

bool Recording::open_capture(int fd, const SessionDescription& session) {
  writer_ = std::make_unique<CaptureWriter>(fd);
  drain_ = std::make_unique<ChunkDrain>(segment_, *writer_, options_.sample_bytes != 0);
  sampler_ = std::make_unique<ResidentSampler>(*writer_, &questions_);
  writer_->write_header(segment_.nonce(), read_moment());
  write_session(session);
  append_clock_frame(*writer_);
  next_clock_ns_ = monotonic_ns() + clock_interval_ns_;
  next_mark_ns_ = monotonic_ns() + options_.mark_every_ns;
  return writer_->failure() == 0;
}

void Recording::write_session(const SessionDescription& session) {
  Json json;
  json["command"] = session.command;
  json["cwd"] = session.working_directory;
  json["hostname"] = host_name();
  json["memlens"] = MEMLENS_VERSION;
  json["options"] = {{"native", options_.native},
                     {"python_allocators", options_.python_allocators},
                     {"follow", options_.follow}};
  if (options_.sample_bytes != 0) json["options"]["sample_bytes"] = options_.sample_bytes;
  if (session.attached) {
    json["attached"] = {{"pid", session.attached->pid},
                        {"after_seconds", session.attached->after_seconds},
                        {"rss_bytes", or_null(session.attached->resident_bytes)}};
  }
  json["page_bytes"] = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  FrameDescription frame;
  frame.kind = format::FrameKind::kSession;
  writer_->append(frame, to_text(json));
  if (session.attached) write_note(session.attached->note, format::DiagnosticCode::kOther);
  for (const std::string& note : session.notes) {
    write_note(note, format::DiagnosticCode::kUntrackedChild);
  }
}

void Recording::write_note(const std::string& text, format::DiagnosticCode code) {
  FrameDescription frame;
  frame.kind = format::FrameKind::kMetadata;
  frame.sequence = notes_written_++;
  writer_->append(frame, diagnostic_record(code, text));
}

void Recording::write_process_end(const WatchedProcess& process) {
  Json json;
  json["process"] = process.process;
  json["pid"] = process.pid;
  json["ticks"] = process.end_ticks;
  if (process.earliest_end_ticks != process.end_ticks) {
    json["earliest_ticks"] = process.earliest_end_ticks;
  }
  add_status(json, process.status);
  const segment::ProcessSlot& slot = segment_.header()->processes[process.slot];
  const std::optional<LimitWatch::Ending> limit = limits_.ended(process.process);
  if (limit) {
    json["memory_limit"] = {{"kind", limit->is_cgroup ? "cgroup" : "system"},
                            {"limit_bytes", limit->sample.limit_bytes},
                            {"used_bytes", limit->sample.used_bytes},
                            {"kills", limit->sample.kills}};
  }
  json["skipped_calls"] = slot.skipped_calls.load(std::memory_order_relaxed);
  json["refused_definitions"] = slot.refused_definitions.load(std::memory_order_relaxed);
  FrameDescription frame;
  frame.kind = format::FrameKind::kProcessEnd;
  frame.process = process.process;
  frame.ticks = process.end_ticks;
  writer_->append(frame, to_text(json));
}

void Recording::write_so_far() {
  if (write_failure() != 0) return;
  drain_->drain_so_far();
  sampler_->flush();
  append_clock_frame(*writer_);
  FrameDescription frame;
  frame.kind = format::FrameKind::kSoFar;
  frame.ticks = settled_ticks_;
  writer_->append(frame, std::string_view());
}

int Recording::go_on_in(CaptureWriter& next, const std::string& note) {
  const int before = writer_->go_on_in(next);
  thinning_.go_on_from(writer_->file_bytes());
  write_note(note, format::DiagnosticCode::kGoesOn);
  append_clock_frame(*writer_);
  return before;
}

std::string Recording::trailer_of_continued() const {
  const Moment now = read_moment();
  Json json;
  json["end_ticks"] = now.ticks;
  json["end_monotonic_ns"] = now.monotonic_ns;
  json["reason"] = "continued";
  add_status(json, {});
  json["lost_processes"] = 0;
  return to_text(json);
}

void Recording::serve_control_socket() {
  ControlRequests requests = control_.receive();
  write_marks(std::move(requests.marks));
  if (requests.so_far.empty()) return;
  write_so_far();
  control_.answer(requests.so_far, "ok");
}

// Those that came at once, or while nobody looked, are one moment.
void Recording::add_signal_marks(std::vector<MarkRequest>& marks) {
  for (WatchedProcess& process : watch_.living()) {
    const uint32_t count = segment_.header()->processes[process.slot].signal_marks.load();
    if (count == process.signal_marks) continue;
    process.signal_marks = count;
    MarkRequest& mark = marks.emplace_back();
    mark.process = process.process;
    mark.name = "SIGUSR2 " + std::to_string(++signal_marks_);
  }
}

void Recording::mark_by_signal() {
  std::vector<MarkRequest> marks(1);
  marks[0].name = "SIGUSR2 " + std::to_string(++signal_marks_);
  write_marks(std::move(marks));
}

void Recording::write_marks(std::vector<MarkRequest> marks) {
  const int64_t now_ns = monotonic_ns();
  if (options_.mark_every_ns > 0 && now_ns >= next_mark_ns_) {
    next_mark_ns_ = now_ns + options_.mark_every_ns;
    marks.push_back({0, "mark " + std::to_string(++own_marks_)});
  }
  if (options_.mark_on_signal) add_signal_marks(marks);
  if (marks.empty() || write_failure() != 0) return;
  const uint64_t ticks = platform::read_ticks();
  std::vector<uint8_t> payload;
  const auto add_number = [&payload](uint64_t value) {
    uint8_t encoded[format::kMaxVarintBytes];
    payload.insert(payload.end(), encoded, format::encode_varint(encoded, value));
  };
  for (const MarkRequest& mark : marks) {
    // A process that is not, or no longer, among the recorded ones: it is a moment all the same.
    const auto process = std::ranges::find_if(watch_.living(), [&](const WatchedProcess& each) {
      return mark.process != 0 ? each.process == mark.process
                               : mark.pid != 0 && each.host_pid == mark.pid;
    });
    for (const WatchedProcess& each : watch_.living()) {
      if (process == watch_.living().end() || each.process == process->process)
        questions_.want(each);
    }
    add_number(ticks);
    add_number(process == watch_.living().end() ? 0 : process->process);
    add_number(mark.name.size());
    payload.insert(payload.end(), mark.name.begin(), mark.name.end());
  }
  FrameDescription frame;
  frame.kind = format::FrameKind::kMarks;
  frame.ticks = ticks;
  writer_->append(frame, payload);
}

void Recording::settle_ended_processes(const std::vector<WatchedProcess>& ended) {
  for (const WatchedProcess& process : ended) {
    drain_->drain_dead(process.slot);
    if (write_failure() == 0) write_process_end(process);
    // Last: a process that takes the slot over must not find the old one's chunks under it.
    watch_.free_slot(process);
  }
}

void Recording::update() {
  segment::SegmentHeader* segment = segment_.header();
  const int64_t now = monotonic_ns();
  if (now - last_tick_ns_ >= kTickIntervalNs) {
    last_tick_ns_ = now;
    settled_ticks_ = tick_ticks_;
    tick_ticks_ = platform::read_ticks();
    segment->tick.fetch_add(1, std::memory_order_relaxed);
    segment_.serve_socket();
    serve_control_socket();
  }
  questions_.answer(watch_.living(), now);
  drain_->drain();
  settle_ended_processes(watch_.update());
  if (write_failure() != 0) {
    stop_after_write_failure();
  } else {
    sampler_->update(watch_.living(), now);
    limits_.update(watch_.living(), now);
    for (const std::string& note : questions_.take_notes()) {
      write_note(note, format::DiagnosticCode::kOther);
    }
    thin_out_samples();
    if (now >= next_clock_ns_) {
      append_clock_frame(*writer_);
      clock_interval_ns_ = std::min(clock_interval_ns_ * 2, kLastClockIntervalNs);
      next_clock_ns_ = now + clock_interval_ns_;
    }
  }
  const uint32_t announced = segment->births_announced.load();
  if (announced != births_seen_) {
    births_seen_ = announced;
    last_birth_ns_ = now;
  }
}

void Recording::thin_out_samples() {
  if (sample_interval_ == 0) return;  // everything is recorded
  const uint64_t next = thinning_.next_interval(sample_interval_, writer_->file_bytes());
  if (next == sample_interval_) return;
  sample_interval_ = next;
  segment_.header()->sample_interval.store(next, std::memory_order_relaxed);
}

void Recording::sleep() {
  const int64_t due = last_tick_ns_ + kTickIntervalNs - monotonic_ns();
  if (due > 0) drain_->sleep(due);
}

void Recording::interrupt_sleep() { segment_.header()->collector_asleep.store(0); }

bool Recording::is_over() {
  const int64_t now = monotonic_ns();
  if (watch_.any_alive()) {
    empty_since_ns_ = 0;
    if (now >= next_stranger_search_ns_) {
      next_stranger_search_ns_ = now + kStrangerIntervalNs;
      watch_.drop_strangers(segment_.inode());
    }
    return false;
  }
  if (!options_.follow) return true;
  if (empty_since_ns_ == 0) empty_since_ns_ = now;
  const int64_t waited = now - std::max(empty_since_ns_, last_birth_ns_);
  if (now >= next_search_ns_) {
    next_search_ns_ = now + kSearchIntervalNs;
    char nonce[32];
    snprintf(nonce, sizeof nonce, ":%" PRIx64 ":", segment_.nonce());
    child_expected_ = any_process_with_environment(nonce);
  }
  // In this order: a child takes its slot before its birth counts as arrived, so one that arrived
  // since the last look at the slots is seen as pending.
  const bool all_arrived = births_missing() == 0;
  if (child_expected_ || watch_.registration_pending()) return waited > kChildPatienceNs;
  return all_arrived || waited > kBirthPatienceNs;
}

void Recording::wake_everybody() {
  segment_.header()->freed_sequence.fetch_add(1);
  segment_.header()->producers_wait.store(0);
  platform::futex_wake(segment_.header()->freed_sequence, INT_MAX);
}

void Recording::stop() {
  if (stop_ == segment::kRunning) stop_ = segment::kStopRequested;
  segment_.header()->stop.store(stop_);
  wake_everybody();
}

void Recording::stop_after_write_failure() {
  if (failed_ticks_ == 0) failed_ticks_ = read_moment().ticks;
  if (stop_ != segment::kRunning) return;
  stop_ = segment::kStopWriteFailed;
  segment_.header()->stop.store(stop_);
  wake_everybody();
}

// Processes that live on are left without copies of themselves, but where they do nothing. A copy
// has 0.3 s, and is waited for after 0.4 s at the latest.
void Recording::settle_copies() {
  constexpr int64_t kPatienceNs = 700'000'000;
  questions_.end();
  const int64_t until_ns = monotonic_ns() + kPatienceNs;
  while (questions_.copies_are_out(watch_.living()) && stop_ == segment::kRunning &&
         monotonic_ns() < until_ns) {
    sleep();
    update();
  }
}

void Recording::end_events() {
  if (ended_) return;
  settle_copies();
  ended_ = true;
  end_ = read_moment();
  settle_ended_processes(watch_.finish());
  drain_->drain();
  const bool stopped_by_program = segment_.header()->stop.load() != stop_;
  stop();
  drain_->drain_rest();
  written_over_ = !segment_.is_intact();
  if (write_failure() == 0) {
    if (written_over_) {
      write_note(
          "a stray write of the program went through the recording's shared memory: what was in "
          "it then is lost",
          format::DiagnosticCode::kStopped);
    } else if (stopped_by_program) {
      write_note("a stray write of the program ended the recording before its end",
                 format::DiagnosticCode::kStopped);
    }
    if (damaged_chunks() != 0) {
      write_note("the program wrote over " + std::to_string(damaged_chunks()) +
                     (damaged_chunks() == 1 ? " block" : " blocks") +
                     " of the recording's shared memory: what was there is left out",
                 format::DiagnosticCode::kLeftOut);
    }
    sampler_->flush();
    append_clock_frame(*writer_);
  }
}

void Recording::write_trailer(EndReason reason, const ExitStatus& status) {
  Json json;
  json["end_ticks"] = end_.ticks;
  json["end_monotonic_ns"] = end_.monotonic_ns;
  json["reason"] = write_failure() != 0             ? "write_failed"
                   : reason == EndReason::kFinished ? "finished"
                                                    : "interrupted";
  if (write_failure() != 0) {
    json["failure"] = strerror(write_failure());
    json["failed_ticks"] = failed_ticks_ != 0 ? failed_ticks_ : end_.ticks;
  }
  add_status(json, status);
  json["lost_processes"] = processes_lost();
  FrameDescription frame;
  frame.kind = format::FrameKind::kTrailer;
  frame.ticks = end_.ticks;
  writer_->append_last(frame, to_text(json));
}

uint32_t Recording::processes_seen() const { return watch_.processes_seen(); }

// Processes find no slot when others have them all; a number without those is a stray write's. Half
// of them, since one that ended between taking a slot and filling it in was not seen.
uint32_t Recording::processes_lost() const {
  const bool possible =
      segment_.is_intact() && watch_.processes_seen() >= segment::kMaxProcesses / 2;
  return possible ? segment_.header()->lost_processes.load() : 0;
}

uint32_t Recording::births_missing() const {
  if (!segment_.is_intact()) return 0;
  const segment::SegmentHeader* segment = segment_.header();
  const uint32_t arrived = segment->births_arrived.load();
  const uint32_t announced = segment->births_announced.load();
  return announced > arrived ? announced - arrived : 0;
}

}  // namespace memlens::collector
