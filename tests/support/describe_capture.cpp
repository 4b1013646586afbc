#include "tests/support/describe_capture.h"

#include <algorithm>
#include <sstream>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "reader/capture/dump.h"
#include "reader/capture/left_out_text.h"
#include "reader/file/error.h"

namespace memlens::testing {

using reader::Analysis;
using reader::Capture;

namespace {

void describe_info(std::ostream& out, const reader::CaptureInfo& info) {
  out << "ending " << info.ending << (info.complete ? "" : ", incomplete") << "\ncommand";
  for (const std::string& argument : info.command) out << " [" << argument << "]";
  out << "\nduration " << info.duration_seconds << "\n";
  for (const reader::ProcessInfo& process : info.processes) {
    out << "process " << process.index << " pid " << process.pid << " parent "
        << process.parent_index << " origin " << static_cast<int>(process.origin) << " python ["
        << process.python << "] start " << process.start_seconds;
    if (process.end_seconds) out << " end " << *process.end_seconds;
    if (process.exit_code) out << " exit " << *process.exit_code;
    out << "\n";
  }
  for (const reader::ThreadInfo& thread : info.threads) {
    out << "thread " << thread.process_index << "." << thread.index << " tid " << thread.tid << " ["
        << thread.name << "] lost " << thread.lost_events << "\n";
  }
  for (const reader::Diagnostic& diagnostic : info.diagnostics)
    out << "diagnostic " << diagnostic.process_index << ": " << diagnostic.text << "\n";
  for (const reader::Mark& mark : info.marks)
    out << "mark " << mark.seconds << " of " << mark.process_index << ": " << mark.name << "\n";
  for (const reader::ProfiledFunction& function : info.profiled_functions)
    out << "profiled " << function.name << " in " << function.file << ":" << function.first_line
        << "+" << function.line_count << "\n";
  for (const reader::LeftOut& left_out : info.left_out)
    out << "left out: " << describe(left_out, info) << "\n";
  if (info.ending == "write_failed") out << info.early_end << "\n";
}

void describe_resident_parts(std::ostream& out, const Capture& capture) {
  for (const reader::ResidentPartsSample& sample : capture.resident_parts()) {
    out << "resident parts of " << sample.process_index << " at " << sample.seconds << ":";
    for (const auto field : format::kResidentPartFields) out << " " << sample.parts.*field;
    out << "\n";
  }
}

void describe_allocators(std::ostream& out, const Capture& capture) {
  for (const reader::AllocatorSample& sample : capture.allocator_samples()) {
    out << "allocator " << static_cast<int>(sample.allocator) << " of " << sample.process_index
        << " at " << sample.seconds << ", moment " << static_cast<int>(sample.moment) << ":";
    for (const auto field : format::kAllocatorStatisticsFields)
      out << " " << sample.statistics.*field;
    out << "\n";
  }
}

void describe_totals(std::ostream& out, const reader::Totals& totals) {
  out << "allocations " << totals.allocations << " frees " << totals.frees << " bytes "
      << totals.allocated_bytes << "\npeak " << totals.peak_bytes << " in " << totals.peak_blocks
      << " at " << totals.peak_seconds << (totals.peak_is_exact ? "" : ", about") << "\nleaked "
      << totals.leaked_bytes << " in " << totals.leaked_blocks << "\ntemporary "
      << totals.temporary_bytes << " in " << totals.temporary_blocks << "\nunmatched "
      << totals.unmatched_frees << " replaced " << totals.replaced_blocks << " lost "
      << totals.lost_events << " events " << totals.events << "\n";
}

std::string describe_site(const Capture& capture, const reader::Site& site) {
  std::ostringstream out;
  out << "site " << site.process_index << "." << site.thread_index << " "
      << capture.info().heaps.function_name(site.kind);
  for (const auto& [name, tally] :
       {std::pair("peak", site.peak), std::pair("leaked", site.leaked),
        std::pair("temporary", site.temporary), std::pair("allocated", site.allocated)})
    out << " " << name << " " << tally.bytes << "/" << tally.blocks;
  out << " node " << site.node << "\n";
  if (const auto task = capture.task(site.process_index, site.node)) {
    out << "    of " << task->function << " " << task->file << ":" << task->line << "\n";
    for (const auto& [where, tasks] : {std::pair("in place", reader::TaskFrames::kInPlace),
                                       std::pair("outermost", reader::TaskFrames::kOutermost)}) {
      for (const reader::Frame& frame :
           capture.frames(site.process_index, site.node, false, tasks)) {
        out << "    " << where << " " << frame.function << "\n";
      }
    }
  }
  for (const bool native : {false, true}) {
    for (const reader::Frame& frame : capture.frames(site.process_index, site.node, native)) {
      out << (native ? "    native " : "    ") << frame.function << " " << frame.file << ":"
          << frame.line << " " << frame.module << " [" << frame.source << "]\n";
    }
  }
  return out.str();
}

}  // namespace

std::string describe_capture(const std::string& path) {
  try {
    const Capture capture = Capture::open(path);
    std::ostringstream out;
    describe_info(out, capture.info());
    describe_resident_parts(out, capture);
    describe_allocators(out, capture);
    const Analysis analysis = reader::analyze(capture, {.timeline_points = 8});
    describe_totals(out, analysis.totals);
    for (const reader::LeftOut& left_out : analysis.left_out)
      out << "left out: " << describe(left_out, capture.info()) << "\n";
    std::vector<std::string> sites;
    for (const reader::Site& site : analysis.sites) sites.push_back(describe_site(capture, site));
    std::sort(sites.begin(), sites.end());
    for (const std::string& site : sites) out << site;
    for (const reader::TimelinePoint& point : analysis.timeline)
      out << "at " << point.seconds << " " << point.bytes << " high " << point.high_bytes << "\n";
    uint64_t records = 0;
    uint64_t text_bytes = 0;
    reader::for_each_record(capture, [&](const reader::DumpRecord& record) {
      ++records;
      text_bytes += record.text.size();
    });
    out << "dump " << records << " records, " << text_bytes << " bytes\n";
    return out.str();
  } catch (const reader::CaptureError& error) {
    const std::string what = error.what();
    return "error: " + (what.rfind(path + ": ", 0) == 0 ? what.substr(path.size() + 2) : what) +
           "\n";
  }
}

}  // namespace memlens::testing
