#include "report/json/summary_json.h"

#include <algorithm>
#include <cmath>

#include "reader/capture/left_out_text.h"
#include "report/json/json_writer.h"
#include "report/json/left_out_json.h"
#include "report/text/signal_name.h"

namespace memlens::report {
namespace {

void write_strings(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name);
  json.begin_compact_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write_capture(JsonWriter& json, const reader::CaptureInfo& info) {
  json.member("complete", info.is_whole());
  json.member("running", info.running);
  write_strings(json, "command", info.command);
  json.key("python");
  info.python ? json.value(*info.python) : json.null();
  json.member("duration_seconds", info.duration_seconds);
  json.member("processes", static_cast<uint64_t>(info.processes.size()));
  json.member("threads", static_cast<uint64_t>(info.threads.size()));
  json.member("native_stacks", info.native_stacks);
  json.member("python_allocators", info.python_allocators);
  json.member("sample_bytes", info.sample_bytes);
  json.key("attached_after_seconds");
  info.attached ? json.value(info.attached->after_seconds) : json.null();
  json.key("rss_at_attach_bytes");
  info.attached&& info.attached->resident_bytes ? json.value(*info.attached->resident_bytes)
                                                : json.null();
  json.member("recorded_by", info.recorded_by);
  json.member("file_bytes", info.file_bytes);
}

// Standard errors, of totals that are estimates.
void write_errors(JsonWriter& json, const char* bytes_name, const char* blocks_name,
                  const reader::Variance& variance) {
  json.member(bytes_name, std::sqrt(variance.bytes));
  json.member(blocks_name, std::sqrt(variance.blocks));
}

void write_totals(JsonWriter& json, const reader::Totals& totals, const reader::CaptureInfo& info) {
  json.member("allocations", totals.allocations);
  json.member("frees", totals.frees);
  json.member("allocated_bytes", totals.allocated_bytes);
  json.member("peak_bytes", totals.peak_bytes);
  json.member("peak_blocks", totals.peak_blocks);
  json.member("peak_seconds", totals.peak_seconds);
  json.member("peak_is_exact", totals.peak_is_exact);
  json.member("leaked_bytes", totals.leaked_bytes);
  json.member("leaked_blocks", totals.leaked_blocks);
  json.member("temporary_bytes", totals.temporary_bytes);
  json.member("temporary_blocks", totals.temporary_blocks);
  json.member("unmatched_frees", totals.unmatched_frees);
  json.member("inherited_frees", totals.inherited_frees);
  json.member("lost_events", totals.lost_events);
  json.member("skipped_calls", info.skipped_calls);
  json.member("refused_definitions", info.refused_definitions);
  if (totals.sample_bytes != 0) {
    write_errors(json, "allocated_bytes_error", "allocations_error", totals.allocated_variance);
    write_errors(json, "peak_bytes_error", "peak_blocks_error", totals.peak_variance);
    write_errors(json, "leaked_bytes_error", "leaked_blocks_error", totals.leaked_variance);
    write_errors(json, "temporary_bytes_error", "temporary_blocks_error",
                 totals.temporary_variance);
    json.member("longest_sample_bytes", totals.sample_bytes);
  }
  json.key("by_allocator");
  json.begin_object();
  for (size_t i = 0; i < totals.by_allocator.size(); ++i) {
    const reader::AllocatorTotals& part = totals.by_allocator[i];
    json.key(info.heaps.heaps()[i].name);
    json.begin_compact_object();
    json.member("allocations", part.allocations);
    json.member("allocated_bytes", part.allocated_bytes);
    json.member("peak_bytes", part.peak_bytes);
    json.member("leaked_bytes", part.leaked_bytes);
    json.end_object();
  }
  json.end_object();
}

// Their sums are the totals; one with neither file nor function is what no task made.
void write_tasks(JsonWriter& json, const std::vector<TaskSum>& tasks) {
  json.key("tasks");
  json.begin_array();
  for (const TaskSum& sum : tasks) {
    json.begin_compact_object();
    json.member("task", sum.name());
    json.member("file", sum.task ? sum.task->file : "");
    json.member("line", sum.task ? sum.task->line : 0);
    json.member("peak_bytes", sum.peak.bytes);
    json.member("peak_blocks", sum.peak.blocks);
    json.member("leaked_bytes", sum.leaked.bytes);
    json.member("leaked_blocks", sum.leaked.blocks);
    json.member("allocated_bytes", sum.allocated.bytes);
    json.member("allocations", sum.allocated.blocks);
    json.end_object();
  }
  json.end_array();
}

void write_optional(JsonWriter& json, const char* name, const std::optional<uint64_t>& value) {
  json.key(name);
  value ? json.value(*value) : json.null();
}

void write_resident_parts(JsonWriter& json, const std::optional<ResidentPartsAt>& at) {
  json.key("rss_at_peak_parts");
  if (!at) {
    json.null();
    return;
  }
  const format::ResidentParts& sum = at->sum;
  json.begin_compact_object();
  json.member("resident_bytes", sum.resident);
  const bool looked_at = sum.proportional != 0;
  write_optional(json, "proportional_bytes",
                 looked_at ? std::optional(sum.proportional) : std::nullopt);
  write_optional(json, "own_bytes", looked_at ? std::optional(sum.own) : std::nullopt);
  json.member("anonymous_bytes", sum.anonymous);
  json.member("file_bytes", sum.files);
  json.member("shared_memory_bytes", sum.shared);
  json.member("stack_bytes", sum.stack);
  json.member("recorder_bytes", sum.recorder);
  json.member("swapped_bytes", sum.swapped);
  json.member("thread_heaps", sum.thread_heaps);
  json.member("thread_heap_bytes", sum.thread_heap_bytes);
  json.end_object();
}

void write_statistics(JsonWriter& json, format::AllocatorName name,
                      const format::AllocatorStatistics& statistics) {
  json.member("allocator", allocator_name(name));
  json.member("held_bytes", statistics.held);
  const bool told = tells_free(name);
  write_optional(json, "free_bytes", told ? std::optional(statistics.free) : std::nullopt);
  write_optional(json, "releasable_bytes",
                 told ? std::optional(statistics.releasable) : std::nullopt);
  json.member("mapped_bytes", statistics.mapped);
  json.member("arenas", statistics.arenas);
  json.member("thread_arenas_held_bytes", statistics.thread_arenas_held);
  json.member("thread_arenas_free_bytes", statistics.thread_arenas_free);
  json.member("retained_bytes", statistics.retained);
}

void write_allocators(JsonWriter& json, const Summary& summary) {
  json.key("allocators_at_peak");
  json.begin_array();
  for (const AllocatorHeld& held : summary.answers.allocators) {
    json.begin_compact_object();
    json.member("seconds", held.seconds);
    write_statistics(json, held.allocator, held.statistics);
    json.end_object();
  }
  json.end_array();
  json.key("allocator_statistics");
  json.begin_array();
  for (const reader::AllocatorSample& sample : summary.allocators) {
    const auto process = std::ranges::find(summary.info.processes, sample.process_index,
                                           &reader::ProcessInfo::index);
    json.begin_compact_object();
    json.member("seconds", sample.seconds);
    json.member("pid", process == summary.info.processes.end() ? 0 : process->pid);
    json.member("moment", moment_name(sample.moment));
    write_statistics(json, sample.allocator, sample.statistics);
    json.end_object();
  }
  json.end_array();
}

// RSS beside what is tracked; of what ended the program, only what did so by force.
void write_resident(JsonWriter& json, const Summary& summary) {
  const ResidentMemory& resident = summary.answers.resident;
  write_optional(json, "rss_at_peak_bytes", resident.at_peak);
  write_optional(json, "rss_peak_bytes", resident.highest);
  write_optional(json, "untracked_at_peak_bytes", resident.untracked);
  write_optional(json, "untouched_at_peak_bytes", resident.untouched);
  write_resident_parts(json, summary.answers.resident_parts);
  write_allocators(json, summary);
  json.key("ended_by");
  const std::optional<int> signal = ending_signal(summary.info);
  signal ? json.value(signal_name(*signal)) : json.null();
  json.key("killed_for_memory");
  if (const std::optional<reader::MemoryLimit>& limit = summary.answers.killed_for) {
    json.begin_compact_object();
    json.member("by", limit->of_cgroup ? "cgroup" : "system");
    json.member("limit_bytes", limit->limit_bytes);
    json.member("used_bytes", limit->used_bytes);
    json.end_object();
  } else {
    json.null();
  }
}

void write_locations(JsonWriter& json, View view, const std::vector<Location>& locations,
                     size_t limit) {
  json.key(view_name(view));
  json.begin_array();
  const size_t shown = limit == 0 ? locations.size() : std::min(limit, locations.size());
  for (const Location& location : std::span(locations).first(shown)) {
    json.begin_compact_object();
    json.member("function", location.frame->function);
    json.member("file", location.frame->file);
    json.member("line", location.frame->line);
    json.member("bytes", location.tally.bytes);
    json.member("blocks", location.tally.blocks);
    json.end_object();
  }
  json.end_array();
}

void write_marks(JsonWriter& json, const reader::CaptureInfo& info) {
  json.key("marks");
  json.begin_array();
  for (const reader::Mark& mark : info.marks) {
    json.begin_compact_object();
    json.member("name", mark.name);
    json.member("seconds", mark.seconds);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_summary_json(std::ostream& out, const Summary& summary, size_t locations) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", "memlens.summary/1");
  write_capture(json, summary.info);
  write_totals(json, summary.analysis.totals, summary.info);
  write_resident(json, summary);
  json.key("top_locations");
  json.begin_object();
  write_locations(json, View::kPeak, summary.answers.peak, locations);
  write_locations(json, View::kLeaks, summary.answers.leaks, locations);
  write_locations(json, View::kTemporary, summary.answers.temporary, locations);
  json.end_object();
  write_tasks(json, summary.tasks);
  write_marks(json, summary.info);
  json.key("diagnostics");
  json.begin_array();
  if (!summary.info.complete) json.value("the capture " + summary.info.early_end);
  for (const auto* list : {&summary.analysis.left_out, &summary.info.left_out}) {
    for (const reader::LeftOut& entry : *list) json.value(reader::describe(entry, summary.info));
  }
  if (const uint64_t lost = summary.analysis.totals.lost_events; lost != 0) {
    json.value(std::to_string(lost) + " events could not be recorded; the totals lack them");
  }
  for (const reader::Diagnostic& diagnostic : summary.info.diagnostics) {
    json.value(diagnostic.text);
  }
  json.end_array();
  write_left_out(json, summary.info, summary.analysis.left_out);
  json.end_object();
  json.finish();
}

}  // namespace memlens::report
