#include "reader/capture/capture_opener.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "reader/cache/stored_frames.h"
#include "reader/file/error.h"

namespace memlens::reader {

using format::FrameKind;

namespace {

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

}  // namespace

void CaptureOpener::open() {
  find_frames();
  const format::FileHeader& header = impl_.index.header;
  impl_.clock.add(header.start_ticks, header.start_monotonic_ns);
  for (const auto& [process, frames] : impl_.index.metadata) {
    for (const FrameRef& frame : frames) take_metadata(frame);
  }
  for (const FrameRef& frame : impl_.index.others) take_other(frame);
  impl_.carried.mark(impl_.index.streams);
  for (auto& [process, metadata] : impl_.metadata) metadata.finish(impl_.pool);
  describe();
}

void CaptureOpener::follow(const std::function<void(const FrameRef&)>& events) {
  FrameIndex& index = impl_.index;
  if (index.good_bytes == 0) {
    index.header = read_file_header(impl_.source);
    index.good_bytes = index.header.header_bytes;
    index.first_ticks = index.last_ticks = index.header.start_ticks;
    impl_.clock.add(index.header.start_ticks, index.header.start_monotonic_ns);
  } else {
    const uint64_t added_bytes = impl_.source.look_again();
    if (added_bytes == 0) return describe_ending();
    budget_.add(added_bytes);
  }
  FrameRef frame;
  while (read_frame_ref(impl_.source, index.good_bytes, frame)) {
    index.good_bytes = frame.payload_offset() + frame.stored_bytes;
    ++index.frame_count;
    index.complete = frame.kind == FrameKind::kTrailer;
    index.last_ticks = std::max(index.last_ticks, frame.ticks);
    switch (frame.kind) {
      case FrameKind::kEvents:
      case FrameKind::kUnfinishedEvents:
        impl_.carried.mark(frame);
        events(frame);
        break;
      case FrameKind::kMetadata:
        take_metadata(frame);
        break;
      case FrameKind::kSoFar:
        index.so_far_ticks = std::max(index.so_far_ticks, frame.ticks);
        break;
      default:
        index.others.push_back(frame);
        take_other(frame);
        break;
    }
  }
  // Parts of a string may still be on their way: what is not whole has no text yet.
  for (auto& [process, metadata] : impl_.metadata) metadata.settle();
  describe();
}

void CaptureOpener::describe() {
  impl_.info = CaptureInfo();
  impl_.end_ticks.clear();
  impl_.earliest_end_ticks.clear();
  impl_.resident_samples.clear();
  impl_.resident_parts.clear();
  impl_.allocator_samples.clear();
  impl_.frames_of_places.clear();
  impl_.clock.finish();
  bound_times();
  describe_processes();
  describe_threads();
  describe_session();
  sample_residents();
  place_marks();
  list_profiled_functions();
  list_left_out();
  find_gaps();
}

template <typename Parse>
void CaptureOpener::parse(const FrameRef& frame, Parse&& parse_view) {
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

void CaptureOpener::find_frames() {
  if (std::optional<FrameIndex> stored = load_frames(impl_.source, options_)) {
    impl_.index = std::move(*stored);
  } else {
    impl_.index = read_frame_index(impl_.source);
    store_frames(impl_.source, impl_.index, options_);
  }
}

template <typename Parse>
void CaptureOpener::parse_json(const FrameRef& frame, Parse&& parse_text) {
  parse(frame, [&](ByteView view) {
    constexpr uint64_t kParsedPerByte = 16;
    budget_.spend(kParsedPerByte * view.remaining_bytes());
    parse_text(view.read_bytes(view.remaining_bytes()));
  });
}

void CaptureOpener::take_metadata(const FrameRef& frame) {
  ProcessMetadata& metadata = impl_.metadata[frame.process];
  uint32_t& expected = next_metadata_[frame.process];
  if (frame.sequence != expected) metadata.pass_gap();
  expected = frame.sequence + 1;
  const auto leave_out = [&](const char* reason) {
    left_out_.add(LeftOutKind::kMetadata, frame.process, 0, frame.offset, reason);
  };
  parse(frame, [&](ByteView view) { metadata.add_payload(view, impl_.pool, budget_, leave_out); });
}

void CaptureOpener::take_other(const FrameRef& frame) {
  own_ticks_ = std::max(own_ticks_, frame.ticks);
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
    case FrameKind::kResidentParts:
      parse(frame, [&](ByteView view) { take_resident_parts(view); });
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
      parse_json(frame, [&](std::string_view json) { ends_.push_back(parse_process_end(json)); });
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
    case FrameKind::kCarriedOrder:
      parse(frame, [&](ByteView view) { impl_.carried.add_payload(view, budget_); });
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

void CaptureOpener::take_resident_parts(ByteView view) {
  while (!view.empty()) {
    PartsAt at{};
    at.ticks = view.read_varint();
    at.process = view.read_varint32();
    const uint64_t count = view.read_varint();
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t value = view.read_varint();
      if (i < format::kResidentPartFields.size()) at.parts.*format::kResidentPartFields[i] = value;
    }
    budget_.spend(2 * sizeof(ResidentPartsSample));
    own_ticks_ = std::max(own_ticks_, at.ticks);
    resident_parts_.push_back(at);
  }
}

void CaptureOpener::bound_times() {
  constexpr double kMargin = 3600;
  uint64_t own_ticks = std::max({own_ticks_, last_ticks_, impl_.index.header.start_ticks});
  impl_.latest_ticks = impl_.clock.ticks_at(impl_.clock.seconds_at(own_ticks) + kMargin);
  if (impl_.index.last_ticks > impl_.latest_ticks) impl_.index.last_ticks = own_ticks;
}

void CaptureOpener::list_left_out() {
  impl_.info.left_out = left_out_.entries();
  for (const LeftOut& entry : impl_.index.left_out) impl_.info.left_out.push_back(entry);
}

void CaptureOpener::find_gaps() {
  CaptureInfo& info = impl_.info;
  using enum format::DiagnosticCode;
  info.has_gaps =
      !info.left_out.empty() || !impl_.left_out_events().empty() || trailer_.lost_processes > 0 ||
      std::ranges::any_of(info.threads,
                          [](const ThreadInfo& thread) { return thread.lost_events > 0; }) ||
      std::ranges::any_of(info.diagnostics, [](const Diagnostic& each) {
        return each.code == kStopped || each.code == kLeftOut;
      });
}

void CaptureOpener::describe_processes() {
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
      last_ticks_ = std::max(last_ticks_, told.ticks);
    }
    impl_.info.processes.push_back(std::move(process));
  }
  for (const ProcessEndFrame& end : ends_) {
    ProcessInfo* process = find_process(end.process);
    if (process == nullptr) continue;
    process->exit_code = end.exit_code;
    process->signal = end.signal;
    if (end.memory_limit) impl_.memory_limits[end.process] = *end.memory_limit;
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
      impl_.info.diagnostics.push_back({process.index, format::DiagnosticCode::kOther,
                                        std::string(note.first) + ": " + std::string(note.second)});
    }
  }
}

void CaptureOpener::end_images(std::vector<ProcessInfo*>& images) {
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

void CaptureOpener::set_end(ProcessInfo& process, uint64_t ticks) {
  if (ticks == 0) return;
  impl_.end_ticks[process.index] = ticks;
  process.end_seconds = std::max(0.0, impl_.clock.seconds_at(ticks));
  last_ticks_ = std::max(last_ticks_, ticks);
}

void CaptureOpener::describe_threads() {
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

void CaptureOpener::describe_session() {
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
  info.attached = session_.attached;
  info.start_unix_ns = impl_.index.header.start_unix_ns;
  last_ticks_ = std::max(last_ticks_, impl_.index.last_ticks);
  for (const Resident& sample : residents_) last_ticks_ = std::max(last_ticks_, sample.ticks);
  impl_.index.last_ticks = last_ticks_;
  info.duration_seconds = std::max(0.0, impl_.clock.seconds_at(last_ticks_));
  const auto add_note = [&info](std::string text) {
    info.diagnostics.push_back({0, format::DiagnosticCode::kOther, std::move(text)});
  };
  if (info.skipped_calls > 0) {
    add_note(std::to_string(info.skipped_calls) +
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

void CaptureOpener::describe_ending() {
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

void CaptureOpener::sample_residents() {
  const auto add = [&](const Resident& sample) {
    impl_.resident_samples.push_back(
        {std::max(0.0, impl_.clock.seconds_at(sample.ticks)), sample.process, sample.bytes});
  };
  impl_.resident_samples.reserve(residents_.size());
  for (const Resident& sample : residents_) add(sample);
  for (const auto& [process, metadata] : impl_.metadata) {
    if (const ResidentMemoryRecord& told = metadata.resident_memory; told.ticks != 0)
      add({told.ticks, process, told.resident_bytes});
  }
  std::ranges::stable_sort(impl_.resident_samples, {}, &ResidentSample::seconds);
  for (const PartsAt& at : resident_parts_) {
    impl_.resident_parts.push_back(
        {std::max(0.0, impl_.clock.seconds_at(at.ticks)), at.process, at.parts});
  }
  std::ranges::stable_sort(impl_.resident_parts, {}, &ResidentPartsSample::seconds);
  for (const auto& [process, metadata] : impl_.metadata) {
    for (const AllocatorRecord& told : metadata.allocators) {
      // Those of an earlier file come with the names that are still needed.
      if (told.ticks < impl_.index.first_ticks) continue;
      impl_.allocator_samples.push_back({std::max(0.0, impl_.clock.seconds_at(told.ticks)), process,
                                         told.moment, told.allocator, told.statistics});
    }
  }
  std::ranges::stable_sort(impl_.allocator_samples, {}, &AllocatorSample::seconds);
}

void CaptureOpener::place_marks() {
  const auto add = [&](uint64_t ticks, uint32_t process, std::string_view name) {
    impl_.info.marks.push_back(
        {std::max(0.0, impl_.clock.seconds_at(ticks)), process, std::string(name)});
  };
  for (const NamedTicks& mark : marks_) add(mark.ticks, mark.process, mark.name);
  for (const auto& [process, metadata] : impl_.metadata) {
    for (const MarkRecord& mark : metadata.marks) {
      // Those of an earlier file come with the names that are still needed.
      if (mark.ticks >= impl_.index.first_ticks) add(mark.ticks, process, mark.name);
    }
  }
  std::ranges::stable_sort(impl_.info.marks, {}, &Mark::seconds);
}

void CaptureOpener::list_profiled_functions() {
  std::set<ProfiledFunction> functions;
  for (const auto& [process, metadata] : impl_.metadata) {
    functions.insert(metadata.profiled_functions.begin(), metadata.profiled_functions.end());
  }
  impl_.info.profiled_functions.assign(functions.begin(), functions.end());
}

ProcessInfo* CaptureOpener::find_process(uint32_t index) {
  return const_cast<ProcessInfo*>(impl_.process(index));
}

}  // namespace memlens::reader
