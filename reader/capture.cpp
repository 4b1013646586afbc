// Opening a capture: headers, metadata and the small frames. Events are left to the analysis.

#include "reader/capture.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "reader/capture_impl.h"
#include "reader/error.h"
#include "reader/frame_payload.h"
#include "reader/index/stored_frames.h"
#include "reader/json_frames.h"

namespace memlens::reader {

namespace {

using format::FrameKind;

// Python's version text goes on about the compiler; the number is its first word.
std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

std::vector<std::string> split_command_line(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const size_t end = text.find('\0');
    arguments.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return arguments;
}

// The passes over a capture that fill an Impl, in order.
class Opener {
 public:
  Opener(Capture::Impl& impl, const IndexOptions& options)
      : impl_(impl), options_(options), loader_(impl.source), budget_(impl.source.size_bytes()) {}

  void run() {
    find_frames();
    const format::FileHeader& header = impl_.index.header;
    impl_.clock.add(header.start_ticks, header.start_monotonic_ns);
    read_metadata();
    read_other_frames();
    for (auto& [process, metadata] : impl_.metadata) metadata.finish(impl_.pool);
    impl_.clock.finish();
    bound_times();
    describe_processes();
    describe_threads();
    describe_session();
    sample_residents();
    place_marks();
    list_left_out();
  }

 private:
  // Of memory, by which a byte of clock frames is charged: recordings write few.
  static constexpr uint64_t kClockBytes = 16;

  // A frame that makes no sense is left out from where it does not.
  template <typename Parse>
  void parse(const FrameRef& frame, Parse&& parse_view) {
    loader_.load(frame, buffer_);
    try {
      // What is only read costs time, of which there is to be an end as well.
      budget_.spend(frame.kind == FrameKind::kClock ? kClockBytes * frame.raw_bytes
                                                    : frame.raw_bytes);
      parse_view(buffer_.view());
    } catch (const PayloadError& error) {
      left_out_.add(LeftOutKind::kOther, frame.process, 0, frame.offset, error.what());
    } catch (const OverBudget& error) {
      throw CaptureError(impl_.source.path(), frame.offset, error.what());
    }
  }

  void find_frames() {
    if (std::optional<FrameIndex> stored = load_frames(impl_.source, options_)) {
      impl_.index = std::move(*stored);
    } else {
      impl_.index = read_frame_index(impl_.source);
      store_frames(impl_.source, impl_.index, options_);
    }
  }

  template <typename Parse>
  void parse_json(const FrameRef& frame, Parse&& parse_text) {
    parse(frame, [&](ByteView view) {
      constexpr uint64_t kParsedPerByte = 16;
      budget_.spend(kParsedPerByte * view.remaining_bytes());
      parse_text(view.read_bytes(view.remaining_bytes()));
    });
  }

  void read_metadata() {
    for (const auto& [process, frames] : impl_.index.metadata) {
      ProcessMetadata& metadata = impl_.metadata[process];
      uint32_t expected = 0;
      for (const FrameRef& frame : frames) {
        if (frame.sequence != expected) metadata.pass_gap();
        expected = frame.sequence + 1;
        const auto leave_out = [&, index = process](const char* reason) {
          left_out_.add(LeftOutKind::kMetadata, index, 0, frame.offset, reason);
        };
        parse(frame,
              [&](ByteView view) { metadata.add_payload(view, impl_.pool, budget_, leave_out); });
      }
    }
  }

  void read_other_frames() {
    for (const FrameRef& frame : impl_.index.others) {
      switch (frame.kind) {
        case FrameKind::kSession:
          parse_json(frame, [&](std::string_view json) { session_ = parse_session(json); });
          break;
        case FrameKind::kClock:
          parse(frame, [&](ByteView view) {
            while (!view.empty()) {
              const uint64_t ticks = view.read_varint();
              impl_.clock.add(ticks, view.read_varint());
              own_ticks_ = std::max(own_ticks_, ticks);
            }
          });
          break;
        case FrameKind::kMemory:
          parse(frame, [&](ByteView view) {
            while (!view.empty()) {
              const uint64_t ticks = view.read_varint();
              const uint32_t process = view.read_varint32();
              const uint64_t bytes = view.read_varint();
              budget_.spend(2 * (sizeof(Resident) + sizeof(ResidentSample)));
              own_ticks_ = std::max(own_ticks_, ticks);
              residents_.push_back({ticks, process, bytes});
            }
          });
          break;
        case FrameKind::kMarks:
          parse(frame, [&](ByteView view) {
            while (!view.empty()) {
              const uint64_t ticks = view.read_varint();
              const uint32_t process = view.read_varint32();
              const std::string_view name = view.read_string();
              budget_.spend(96 + name.size());
              marks_.push_back({ticks, process, std::string(name)});
            }
          });
          break;
        case FrameKind::kProcessEnd:
          parse_json(frame,
                     [&](std::string_view json) { ends_.push_back(parse_process_end(json)); });
          break;
        case FrameKind::kSymbols:
          parse(frame, [&](ByteView view) {
            impl_.metadata[frame.process].symbols.add_payload(view, impl_.pool, budget_);
          });
          break;
        case FrameKind::kSource:
          parse(frame,
                [&](ByteView view) { impl_.source_text.add_payload(view, impl_.pool, budget_); });
          break;
        case FrameKind::kTrailer:
          parse_json(frame, [&](std::string_view json) { trailer_ = parse_trailer(json); });
          if (trailer_.end_ticks > 0) {
            impl_.clock.add(trailer_.end_ticks, trailer_.end_monotonic_ns);
            last_ticks_ = std::max(last_ticks_, trailer_.end_ticks);
          }
          break;
        default:
          break;  // from a later minor version
      }
    }
  }

  // The times of events come from the program, which may have written over them. The collector's
  // own tell how late they can be: no clock of one machine is off by an hour.
  void bound_times() {
    constexpr double kMargin = 3600;
    uint64_t own_ticks = std::max({own_ticks_, last_ticks_, impl_.index.header.start_ticks});
    for (const FrameRef& frame : impl_.index.others) own_ticks = std::max(own_ticks, frame.ticks);
    impl_.latest_ticks = impl_.clock.ticks_at(impl_.clock.seconds_at(own_ticks) + kMargin);
    if (impl_.index.last_ticks > impl_.latest_ticks) impl_.index.last_ticks = own_ticks;
  }

  void list_left_out() {
    impl_.info.left_out = left_out_.take();
    for (const LeftOut& entry : impl_.index.left_out) impl_.info.left_out.push_back(entry);
  }

  void describe_processes() {
    std::set<uint32_t> indexes;
    for (const auto& [process, metadata] : impl_.metadata) indexes.insert(process);
    for (const EventStream& stream : impl_.index.streams) indexes.insert(stream.process);
    indexes.erase(0);
    for (const uint32_t index : indexes) {
      const ProcessMetadata& metadata = impl_.metadata[index];
      ProcessInfo process;
      process.index = index;
      process.pid = metadata.pid;
      process.parent_index = metadata.parent_index;
      process.origin = metadata.origin;
      process.executable = metadata.executable;
      process.command = split_command_line(metadata.command_line);
      if (metadata.has_process_record)
        process.start_seconds = std::max(0.0, impl_.clock.seconds_at(metadata.start_ticks));
      process.python = first_word(metadata.python_version);
      if (const ResidentMemoryRecord& told = metadata.resident_memory; told.ticks != 0) {
        process.high_water_bytes = told.high_water_bytes;
        residents_.push_back({told.ticks, index, told.resident_bytes});
      }
      impl_.info.processes.push_back(std::move(process));
    }
    for (const ProcessEndFrame& end : ends_) {
      ProcessInfo* process = find_process(end.process);
      if (process == nullptr) continue;
      process->exit_code = end.exit_code;
      process->signal = end.signal;
      set_end(*process, end.ticks);
      if (end.earliest_ticks != 0 && end.earliest_ticks < end.ticks)
        impl_.earliest_end_ticks[end.process] = end.earliest_ticks;
      impl_.info.skipped_calls += end.skipped_calls;
      impl_.info.refused_definitions += end.refused_definitions;
    }
    // An exec replaces the image of the same pid: what that had allocated is gone.
    std::map<int32_t, std::vector<ProcessInfo*>> by_pid;
    for (ProcessInfo& process : impl_.info.processes) by_pid[process.pid].push_back(&process);
    by_pid.erase(0);
    for (auto& [pid, images] : by_pid) end_images(images);
    // Of process 0 are those that were known before the first began.
    if (const auto known = impl_.metadata.find(0); known != impl_.metadata.end()) {
      for (const auto& [code, diagnostic] : known->second.diagnostics)
        impl_.info.diagnostics.push_back({0, code, std::string(diagnostic)});
    }
    std::set<std::pair<std::string_view, std::string_view>> told_notes;
    for (const ProcessInfo& process : impl_.info.processes) {
      ProcessMetadata& metadata = impl_.metadata[process.index];
      metadata.register_heaps(impl_.info.heaps);
      if (!impl_.info.python && !process.python.empty()) impl_.info.python = process.python;
      for (const auto& [code, diagnostic] : metadata.diagnostics)
        impl_.info.diagnostics.push_back({process.index, code, std::string(diagnostic)});
      // The processes of a tree mostly have the same modules.
      for (const auto& note : metadata.symbols.notes()) {
        if (!told_notes.insert(note).second) continue;
        impl_.info.diagnostics.push_back(
            {process.index, format::DiagnosticCode::kOther,
             std::string(note.first) + ": " + std::string(note.second)});
      }
    }
  }

  // The images of one pid, each of which ended the one before. (With pids used again there may be
  // several such chains in a row.)
  void end_images(std::vector<ProcessInfo*>& images) {
    const auto start_ticks = [&](const ProcessInfo* image) {
      return impl_.metadata[image->index].start_ticks;
    };
    std::ranges::stable_sort(images, {}, start_ticks);
    uint64_t exec_ticks = UINT64_MAX;  // the next one
    for (size_t i = images.size(); i-- > 0;) {
      if (start_ticks(images[i]) < exec_ticks &&
          impl_.process_end_ticks(images[i]->index) > exec_ticks) {
        set_end(*images[i], exec_ticks);
        impl_.earliest_end_ticks.erase(images[i]->index);
      }
      if (images[i]->origin == format::ProcessOrigin::kExec) exec_ticks = start_ticks(images[i]);
    }
  }

  void set_end(ProcessInfo& process, uint64_t ticks) {
    if (ticks == 0) return;
    impl_.end_ticks[process.index] = ticks;
    process.end_seconds = std::max(0.0, impl_.clock.seconds_at(ticks));
    last_ticks_ = std::max(last_ticks_, ticks);
  }

  void describe_threads() {
    uint64_t missing_frames = 0;
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> lost_events;
    for (const EventStream& stream : impl_.index.streams) {
      lost_events[{stream.process, stream.thread}] = stream.lost_events;
      missing_frames += stream.missing_frames;
    }
    for (const auto& [process, metadata] : impl_.metadata) {
      for (const auto& [thread, record] : metadata.threads)
        lost_events.try_emplace({process, thread}, 0);
    }
    for (const auto& [key, lost] : lost_events) {
      ThreadInfo thread;
      thread.process_index = key.first;
      thread.index = key.second;
      thread.lost_events = lost;
      if (const ThreadRecord* record = impl_.metadata[key.first].thread(key.second)) {
        thread.tid = record->tid;
        thread.name = record->name;
        thread.start_seconds = std::max(0.0, impl_.clock.seconds_at(record->start_ticks));
      }
      impl_.info.threads.push_back(std::move(thread));
    }
    if (missing_frames > 0) {
      impl_.info.diagnostics.push_back(
          {0, format::DiagnosticCode::kOther,
           std::to_string(missing_frames) +
               " blocks of events are missing from the capture; totals are too low"});
    }
  }

  void describe_session() {
    CaptureInfo& info = impl_.info;
    info.path = impl_.source.path();
    info.file_bytes = impl_.source.size_bytes();
    describe_ending();
    info.command = session_.command;
    if (info.command.empty() && !info.processes.empty()) info.command = info.processes[0].command;
    info.working_directory = session_.working_directory;
    info.hostname = session_.hostname;
    info.recorded_by = session_.recorded_by;
    info.native_stacks = session_.native_stacks;
    info.python_allocators = session_.python_allocators;
    info.sample_bytes = session_.sample_bytes;
    info.start_unix_ns = impl_.index.header.start_unix_ns;
    last_ticks_ = std::max(last_ticks_, impl_.index.last_ticks);
    for (const Resident& sample : residents_) last_ticks_ = std::max(last_ticks_, sample.ticks);
    impl_.index.last_ticks = last_ticks_;
    info.duration_seconds = std::max(0.0, impl_.clock.seconds_at(last_ticks_));
    const auto add_note = [&info](std::string text) {
      info.diagnostics.push_back({0, format::DiagnosticCode::kOther, std::move(text)});
    };
    if (info.skipped_calls > 0) {
      add_note(
          std::to_string(info.skipped_calls) +
          " calls by signal handlers that interrupted an allocation function are not recorded");
    }
    if (info.refused_definitions > 0) {
      add_note("a lock was held too long: stacks lack frames or names in " +
               std::to_string(info.refused_definitions) + " places");
    }
    if (trailer_.lost_processes > 0) {
      info.diagnostics.push_back({0, format::DiagnosticCode::kOther,
                                  std::to_string(trailer_.lost_processes) +
                                      " processes could not be recorded: too many at once"});
    }
  }

  void describe_ending() {
    CaptureInfo& info = impl_.info;
    const bool write_failed = trailer_.reason == "write_failed";
    info.complete = impl_.index.complete && !write_failed;
    info.running = !impl_.index.complete && impl_.source.being_written();
    info.ending = info.running              ? "running"
                  : !impl_.index.complete   ? "interrupted"
                  : trailer_.reason.empty() ? "finished"
                                            : trailer_.reason;
    if (info.complete) return;
    // The trailer stands behind the cut, which it tells of.
    const uint64_t end_bytes = impl_.index.good_bytes;
    const uint64_t cut_bytes =
        write_failed && !impl_.index.others.empty() ? impl_.index.others.back().offset : end_bytes;
    const uint64_t ticks = write_failed ? trailer_.failed_ticks : impl_.index.last_ticks;
    char moment[48];
    std::snprintf(moment, sizeof moment, "%.3f s after the start",
                  std::max(0.0, impl_.clock.seconds_at(ticks)));
    if (info.running) {
      info.early_end = "is still under way: this is what it has so far, ";
      info.early_end += moment;
      return;
    }
    info.early_end =
        write_failed
            ? "could not be written to its end (" +
                  (trailer_.failure.empty() ? std::string("a full disk?") : trailer_.failure) + ")"
            : "ended early (interrupted)";
    info.early_end += ": it stops at byte " + std::to_string(cut_bytes);
    if (ticks != 0) info.early_end += std::string(", ") + moment;  // known
    info.early_end += "; read up to its last complete frame";
  }

  void sample_residents() {
    impl_.resident_samples.reserve(residents_.size());
    for (const Resident& sample : residents_) {
      impl_.resident_samples.push_back(
          {std::max(0.0, impl_.clock.seconds_at(sample.ticks)), sample.process, sample.bytes});
    }
    std::stable_sort(
        impl_.resident_samples.begin(), impl_.resident_samples.end(),
        [](const ResidentSample& a, const ResidentSample& b) { return a.seconds < b.seconds; });
  }

  void place_marks() {
    for (const auto& [process, metadata] : impl_.metadata) {
      for (const MarkRecord& mark : metadata.marks)
        marks_.push_back({mark.ticks, process, std::string(mark.name)});
    }
    for (NamedTicks& mark : marks_) {
      impl_.info.marks.push_back(
          {std::max(0.0, impl_.clock.seconds_at(mark.ticks)), mark.process, std::move(mark.name)});
    }
    std::ranges::stable_sort(impl_.info.marks, {}, &Mark::seconds);
  }

  ProcessInfo* find_process(uint32_t index) {
    return const_cast<ProcessInfo*>(impl_.process(index));
  }

  struct Resident {
    uint64_t ticks;
    uint32_t process;
    uint64_t bytes;
  };

  struct NamedTicks {
    uint64_t ticks;
    uint32_t process;
    std::string name;
  };

  Capture::Impl& impl_;
  const IndexOptions& options_;
  PayloadLoader loader_;
  PayloadBuffer buffer_;
  SessionFrame session_;
  TrailerFrame trailer_;
  std::vector<ProcessEndFrame> ends_;
  std::vector<Resident> residents_;
  std::vector<NamedTicks> marks_;
  uint64_t last_ticks_ = 0;
  uint64_t own_ticks_ = 0;  // the latest that the collector itself noted
  MemoryBudget budget_;
  LeftOutList left_out_;
};

}  // namespace

const ProcessInfo* Capture::Impl::process(uint32_t process_index) const {
  const auto found =
      std::lower_bound(info.processes.begin(), info.processes.end(), process_index,
                       [](const ProcessInfo& p, uint32_t value) { return p.index < value; });
  return found != info.processes.end() && found->index == process_index ? &*found : nullptr;
}

uint64_t Capture::Impl::process_end_ticks(uint32_t process_index) const {
  const auto found = end_ticks.find(process_index);
  return found != end_ticks.end() ? found->second : UINT64_MAX;
}

const std::vector<EventStream>& Capture::Impl::readable_streams() const {
  return has_sound ? sound.streams : event_streams();
}

void Capture::Impl::leave_out_damaged_chunks() const {
  std::call_once(sound_once, [this] {
    sound = find_sound_streams(source, event_streams(), latest_ticks);
    has_sound = true;
  });
}

const std::vector<EventStream>& Capture::Impl::event_streams() const {
  if (index.lists_chunks) return index.streams;
  std::call_once(streams_once, [this] { streams = read_frame_index(source).streams; });
  return streams;
}

Capture::Capture(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Capture::~Capture() = default;
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;

Capture Capture::open(const std::string& path) { return open(path, IndexOptions{}); }

Capture Capture::open(const std::string& path, const IndexOptions& index) {
  auto impl = std::make_unique<Impl>(path);
  Opener(*impl, index).run();
  return Capture(std::move(impl));
}

void Capture::add_resolved(format::FrameKind kind, uint32_t process, std::string_view payload) {
  MemoryBudget budget(payload.size());
  try {
    if (kind == FrameKind::kSymbols) {
      SymbolMap& symbols = impl_->metadata[process].symbols;
      symbols.add_payload(ByteView(payload), impl_->pool, budget);
      symbols.finish();
    } else if (kind == FrameKind::kSource) {
      impl_->source_text.add_payload(ByteView(payload), impl_->pool, budget);
    }
  } catch (const PayloadError& error) {
    throw CaptureError(impl_->source.path(), error.what());
  } catch (const OverBudget& error) {
    throw CaptureError(impl_->source.path(), error.what());
  }
}

const CaptureInfo& Capture::info() const { return impl_->info; }

const std::vector<ResidentSample>& Capture::resident_samples() const {
  return impl_->resident_samples;
}

}  // namespace memlens::reader
