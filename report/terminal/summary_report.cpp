#include "report/terminal/summary_report.h"
#include "reader/capture/left_out_text.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "reader/text/columns.h"
#include "reader/text/units.h"
#include "report/terminal/explain_report.h"
#include "report/terminal/table.h"
#include "report/terminal/wording.h"
#include "report/text/short_function.h"
#include "report/text/short_path.h"
#include "report/text/signal_name.h"

namespace memlens::report {
namespace {

constexpr size_t kListedProcesses = 20;
constexpr size_t kListedThreads = 12;
constexpr size_t kListedTasks = 12;
// Below this share a view of the summary is not worth its lines.
constexpr double kWorthListing = 0.001;

class SummaryPrinter {
 public:
  SummaryPrinter(std::ostream& out, const Terminal& terminal, const Summary& summary)
      : out_(out), terminal_(terminal), summary_(summary), totals_(summary.analysis.totals) {}

  void print(size_t locations) {
    out_ << capture_heading(summary_.info, terminal_) << "\n\n";
    print_first_findings(out_, terminal_, summary_.answers.findings);
    print_totals();
    print_allocators();
    print_locations("At the peak", View::kPeak, summary_.answers.peak, locations);
    print_locations(summary_.info.running ? "Still allocated so far" : "Still allocated at the end",
                    View::kLeaks, summary_.answers.leaks, locations);
    print_locations("Temporary, by number of allocations", View::kTemporary,
                    summary_.answers.temporary, locations);
    if (!summary_.tasks.empty()) print_tasks();
    if (summary_.info.processes.size() > 1) print_processes();
    if (summary_.info.threads.size() > summary_.info.processes.size()) print_threads();
    print_notes();
  }

 private:
  void print_title(const std::string& title) {
    out_ << '\n' << terminal_.paint(Paint::kBold, title) << '\n';
  }

  void print_totals() {
    Table table({{}, {}});
    for (View view : kViews) {
      std::string amount = view_amount(view, totals_, summary_.info, terminal_);
      if (view == View::kLeaks && totals_.leaked_bytes > totals_.peak_bytes) {
        amount += ", at most " + format_bytes(most_leaked_by_one_process()) + " of one";
      }
      table.add_row({{view_title(view), Paint::kBold}, amount});
    }
    const ResidentMemory& resident = summary_.answers.resident;
    if (resident.at_peak) table.add_row({{"RSS at the peak", Paint::kBold}, rss_text(resident)});
    if (const auto& parts = summary_.answers.resident_parts) {
      table.add_row({{"  made of", Paint::kBold}, about_text(*parts) + parts_text(parts->sum)});
      if (const std::string rest = shared_parts_text(parts->sum); !rest.empty()) {
        table.add_row({"", rest});
      }
      if (parts->processes.size() > 1 && parts->sum.proportional != 0) {
        table.add_row({{"PSS at the peak", Paint::kBold}, pss_text(parts->sum)});
      }
    }
    print_held(table);
    const uint64_t reserved = totals_.untouched_at_peak_bytes.value_or(0);
    if (reserved > 0) {
      table.add_row({{"Never touched", Paint::kBold},
                     format_bytes(reserved) + " mapped at the peak, not counted above"});
    }
    table.print(out_, terminal_, kTableIndent);
  }

  // It was looked at a moment before or after.
  std::string about_text(const ResidentPartsAt& parts) const {
    const auto at_peak = static_cast<double>(summary_.answers.resident.at_peak.value_or(0));
    const auto then = static_cast<double>(parts.sum.resident);
    return std::abs(then - at_peak) > 0.02 * at_peak ? "about " : "";
  }

  uint64_t most_leaked_by_one_process() const {
    std::map<uint32_t, uint64_t> leaked;
    for (const reader::Site& site : summary_.analysis.sites) {
      leaked[site.process_index] += site.leaked.bytes;
    }
    uint64_t most = 0;
    for (const auto& [process, bytes] : leaked) most = std::max(most, bytes);
    return most;
  }

  // "69.4 MB = 50.6 MB tracked + 18.8 MB other".
  std::string rss_text(const ResidentMemory& resident) const {
    std::string text = format_bytes(*resident.at_peak);
    if (*resident.at_peak >= totals_.peak_bytes) {
      text += " = " + format_bytes(totals_.peak_bytes) + " tracked + " +
              format_bytes(*resident.untracked) + " other";
    } else {
      text += ", " + format_bytes(totals_.peak_bytes - *resident.at_peak) + " less than is tracked";
      const uint64_t reserved = totals_.untouched_at_peak_bytes.value_or(0);
      const uint64_t untouched = resident.untouched.value_or(0);
      if (untouched > reserved)
        text += " (at least " + format_bytes(untouched - reserved) + " of that was never touched)";
    }
    if (resident.highest && *resident.highest > *resident.at_peak)
      text += "; at most " + format_bytes(*resident.highest);
    return text;
  }

  // "52.1 MB heap and stacks, 9.41 MB code and files".
  static std::string parts_text(const format::ResidentParts& parts) {
    return format_bytes(parts.anonymous + parts.stack) + " heap and stacks, " +
           format_bytes(parts.files) + " code and files";
  }

  // "19.1 MB shared, 528 kB memlens, 3.02 MB swapped"; empty where there is hardly any.
  static std::string shared_parts_text(const format::ResidentParts& parts) {
    constexpr uint64_t kWorthNaming = 20;  // of the whole, one part
    if (parts.shared + parts.swapped == 0 && parts.recorder < parts.resident / kWorthNaming) {
      return {};
    }
    std::string text = format_bytes(parts.shared) + " shared";
    if (parts.recorder > 0) text += ", " + format_bytes(parts.recorder) + " memlens";
    if (parts.swapped > 0) text += ", " + format_bytes(parts.swapped) + " swapped";
    return text;
  }

  // "  malloc held   155.2 MB, of which 12.4 MB free (8.1 MB in whole pages); 9 arenas".
  void print_held(Table& table) const {
    constexpr uint64_t kWorthNaming = 1'000'000;
    for (const AllocatorHeld& allocator : summary_.answers.allocators) {
      const format::AllocatorStatistics& statistics = allocator.statistics;
      if (statistics.held < kWorthNaming) continue;
      std::string text = format_bytes(statistics.held);
      if (tells_free(allocator.allocator)) {
        text += ", of which " + format_bytes(statistics.free) + " free";
        if (statistics.releasable >= kWorthNaming) {
          text += " (" + format_bytes(statistics.releasable) + " in whole pages)";
        }
      }
      if (statistics.arenas > 1) text += "; " + format_count(statistics.arenas) + " arenas";
      const std::string name(allocator.allocator == format::AllocatorName::kGlibc
                                 ? "malloc"
                                 : allocator_name(allocator.allocator));
      table.add_row({{"  " + name + " held", Paint::kBold}, text});
    }
  }

  static std::string pss_text(const format::ResidentParts& parts) {
    return format_bytes(parts.proportional) + " (shared pages once), " + format_bytes(parts.own) +
           " of one only";
  }

  void print_allocators() {
    Table table({{"by allocator", Align::kLeft, Cut::kEnd, 12},
                 {"allocations", Align::kRight},
                 {"allocated", Align::kRight},
                 {"at the peak", Align::kRight},
                 {"still allocated", Align::kRight}});
    for (size_t i = 0; i < totals_.by_allocator.size(); ++i) {
      const reader::AllocatorTotals& totals = totals_.by_allocator[i];
      if (totals.allocations == 0) continue;
      const auto allocator = static_cast<format::Allocator>(i);
      table.add_row({i < format::kAllocatorCount && allocator == format::Allocator::kMmap
                         ? "mapped memory (mmap)"
                         : printable(summary_.info.heaps.heaps()[i].name),
                     format_count(totals.allocations), format_bytes(totals.allocated_bytes),
                     format_bytes(totals.peak_bytes), format_bytes(totals.leaked_bytes)});
    }
    if (table.empty()) return;
    out_ << '\n';
    table.print(out_, terminal_, kTableIndent);
  }

  void print_locations(const std::string& title, View view, const std::vector<Location>& locations,
                       size_t limit) {
    const reader::Tally total = total_of(totals_, view);
    const uint64_t whole = weight_of(total, view);
    const auto base = static_cast<double>(weight_of(total_of(totals_, View::kAllocations), view));
    if (whole == 0 || static_cast<double>(whole) < kWorthListing * base) return;
    print_title(title);
    Table table({{"share", Align::kRight},
                 {"bytes", Align::kRight},
                 {"blocks", Align::kRight},
                 {"function", Align::kLeft, Cut::kEnd, 20},
                 {"place", Align::kLeft, Cut::kFolders, 26},
                 {"", Align::kLeft, Cut::kEnd, 16}});
    const size_t shown = limit == 0 ? locations.size() : std::min(limit, locations.size());
    for (size_t i = 0; i < shown; ++i) {
      const Location& location = locations[i];
      const uint64_t weight = weight_of(location.tally, view);
      table.add_row({{format_share(weight, whole), paint_of_share(weight, whole)},
                     format_bytes(location.tally.bytes),
                     format_count(location.tally.blocks),
                     {short_function(location.frame->function, terminal_.unicode), Paint::kBold},
                     place_of(*location.frame, summary_.info.working_directory),
                     {printable(location.frame->source), Paint::kDim}});
    }
    if (shown < locations.size()) add_others(table, view, locations, shown, whole);
    table.print(out_, terminal_, kTableIndent);
  }

  void add_others(Table& table, View view, const std::vector<Location>& locations, size_t shown,
                  uint64_t whole) {
    reader::Tally rest;
    for (size_t i = shown; i < locations.size(); ++i) {
      rest.bytes += locations[i].tally.bytes;
      rest.blocks += locations[i].tally.blocks;
    }
    table.add_row({{format_share(weight_of(rest, view), whole), Paint::kDim},
                   {format_bytes(rest.bytes), Paint::kDim},
                   {format_count(rest.blocks), Paint::kDim},
                   {format_count_of(locations.size() - shown, "other place"), Paint::kDim}});
  }

  static std::string ending_of(const reader::ProcessInfo& process) {
    if (process.signal) return "ended by " + signal_name(*process.signal);
    if (process.exit_code) return "exit code " + std::to_string(*process.exit_code);
    return "";
  }

  void print_processes() {
    print_title("Processes");
    Table table({{"pid", Align::kRight},
                 {"started", Align::kRight},
                 {"peak share", Align::kRight},
                 {"allocated", Align::kRight},
                 {"command", Align::kLeft, Cut::kEnd, 30},
                 {""}});
    std::map<uint32_t, std::pair<reader::Tally, reader::Tally>> sums;  // at the peak, allocated
    for (const reader::Site& site : summary_.analysis.sites) {
      sums[site.process_index].first.bytes += site.peak.bytes;
      sums[site.process_index].second.bytes += site.allocated.bytes;
    }
    std::vector<const reader::ProcessInfo*> processes;
    for (const reader::ProcessInfo& process : summary_.info.processes)
      processes.push_back(&process);
    std::ranges::stable_sort(processes, std::greater{}, [&](const reader::ProcessInfo* process) {
      const auto& [peak, allocated] = sums[process->index];
      return std::pair(peak.bytes, allocated.bytes);
    });
    processes.resize(std::min(processes.size(), kListedProcesses));
    for (const reader::ProcessInfo* listed : processes) {
      const reader::ProcessInfo& process = *listed;
      const auto& [peak, allocated] = sums[process.index];
      const std::string command =
          process.command.empty() ? printable(process.executable) : command_text(process.command);
      table.add_row({std::to_string(process.pid),
                     format_seconds(process.start_seconds),
                     format_bytes(peak.bytes),
                     format_bytes(allocated.bytes),
                     command,
                     {ending_of(process), Paint::kDim}});
    }
    table.print(out_, terminal_, kTableIndent);
    print_left_out(summary_.info.processes.size(), kListedProcesses, "process", "processes");
  }

  void print_threads() {
    print_title("Threads");
    using ThreadKey = std::pair<uint32_t, uint32_t>;
    std::map<ThreadKey, std::pair<reader::Tally, reader::Tally>> sums;
    for (const reader::Site& site : summary_.analysis.sites) {
      auto& [peak, allocated] = sums[ThreadKey(site.process_index, site.thread_index)];
      peak.bytes += site.peak.bytes;
      allocated.bytes += site.allocated.bytes;
      allocated.blocks += site.allocated.blocks;
    }
    const auto key_of = [](const reader::ThreadInfo& thread) {
      return ThreadKey(thread.process_index, thread.index);
    };
    std::vector<const reader::ThreadInfo*> threads;
    for (const reader::ThreadInfo& thread : summary_.info.threads) threads.push_back(&thread);
    std::ranges::stable_sort(threads, std::greater{}, [&](const reader::ThreadInfo* thread) {
      return sums[key_of(*thread)].second.bytes;
    });
    Table table({{"thread", Align::kRight},
                 {"at the peak", Align::kRight},
                 {"allocated", Align::kRight},
                 {"allocations", Align::kRight},
                 {"name"}});
    for (size_t i = 0; i < threads.size() && i < kListedThreads; ++i) {
      const auto& [peak, allocated] = sums[key_of(*threads[i])];
      table.add_row({std::to_string(threads[i]->tid), format_bytes(peak.bytes),
                     format_bytes(allocated.bytes), format_count(allocated.blocks),
                     printable(threads[i]->name)});
    }
    table.print(out_, terminal_, kTableIndent);
    print_left_out(threads.size(), kListedThreads, "thread", "threads");
  }

  void print_tasks() {
    print_title("Tasks");
    Table table({{"at the peak", Align::kRight},
                 {"still allocated", Align::kRight},
                 {"allocated", Align::kRight},
                 {"allocations", Align::kRight},
                 {"task", Align::kLeft, Cut::kEnd, 20},
                 {"place", Align::kLeft, Cut::kFolders, 26}});
    const size_t listed = std::min(summary_.tasks.size() - 1, kListedTasks);
    const auto add = [&](const TaskSum& sum) {
      table.add_row({format_bytes(sum.peak.bytes),
                     format_bytes(sum.leaked.bytes),
                     format_bytes(sum.allocated.bytes),
                     format_count(sum.allocated.blocks),
                     {printable(sum.name()), sum.task ? Paint::kBold : Paint::kDim},
                     sum.task ? place_of(*sum.task, summary_.info.working_directory) : ""});
    };
    for (size_t i = 0; i < listed; ++i) add(summary_.tasks[i]);
    if (listed + 1 < summary_.tasks.size()) {
      TaskSum rest;
      for (size_t i = listed; i + 1 < summary_.tasks.size(); ++i) {
        rest.peak += summary_.tasks[i].peak;
        rest.leaked += summary_.tasks[i].leaked;
        rest.allocated += summary_.tasks[i].allocated;
      }
      table.add_row(
          {{format_bytes(rest.peak.bytes), Paint::kDim},
           {format_bytes(rest.leaked.bytes), Paint::kDim},
           {format_bytes(rest.allocated.bytes), Paint::kDim},
           {format_count(rest.allocated.blocks), Paint::kDim},
           {format_count_of(summary_.tasks.size() - 1 - listed, "other task"), Paint::kDim},
           ""});
    }
    add(summary_.tasks.back());
    table.print(out_, terminal_, kTableIndent);
  }

  void print_left_out(size_t count, size_t listed, const char* one, const char* many) {
    if (count <= listed) return;
    const size_t rest = count - listed;
    out_ << "  " << format_count(rest) << " more " << (rest == 1 ? one : many) << '\n';
  }

  // What makes the numbers less than the whole truth, and why.
  void print_notes() {
    std::vector<std::string> notes;
    if (!summary_.info.complete)
      notes.push_back("the capture " + printable(summary_.info.early_end));
    for (const std::vector<reader::LeftOut>* list :
         {&summary_.analysis.left_out, &summary_.info.left_out}) {
      for (const reader::LeftOut& left_out : *list)
        notes.push_back(printable(reader::describe(left_out, summary_.info)));
    }
    for (const reader::Diagnostic& diagnostic : summary_.info.diagnostics) {
      notes.push_back(printable(diagnostic.text));
    }
    if (totals_.lost_events != 0) {
      notes.push_back(format_count_of(totals_.lost_events, "event") +
                      " could not be recorded; the totals lack them");
    }
    if (totals_.inherited_frees != 0) {
      notes.push_back(format_count_of(totals_.inherited_frees, "free") +
                      " in forked processes of blocks that their parents allocated");
    }
    if (const uint64_t unseen = totals_.unmatched_frees - totals_.inherited_frees; unseen != 0) {
      notes.push_back(format_count_of(unseen, "free") +
                      (summary_.info.attached
                           ? " of blocks whose allocation was not seen: before memlens was attached"
                           : " of blocks whose allocation was not seen: past the hooks "
                             "(__libc_malloc, dlsym on libc, RTLD_DEEPBIND), or before memlens was "
                             "there"));
    }
    if (summary_.info.sample_bytes != 0) {
      notes.push_back(
          "only samples were recorded: numbers are estimates, give or take one standard error; "
          "that "
          "of the peak may be up to three of them too high where memory stays level");
      if (totals_.sample_bytes > summary_.info.sample_bytes) {
        notes.push_back("as the capture grew, samples became fewer: 1 per " +
                        format_interval(totals_.sample_bytes) + " in the end");
      }
    }
    if (!totals_.peak_is_exact) {
      notes.push_back(
          summary_.info.processes.size() > 1
              ? "several threads or processes allocated around the peak, and it is within "
                "0.25 %; or one was killed around it that may have been gone by then, and "
                "without it the peak is lower"
              : "several threads allocated around the peak; it is within 0.25 %");
    }
    if (notes.empty()) return;
    print_title("Notes");
    for (const std::string& note : notes) out_ << "  " << note << '\n';
  }

  std::ostream& out_;
  const Terminal& terminal_;
  const Summary& summary_;
  const reader::Totals& totals_;
};

}  // namespace

void print_summary_report(std::ostream& out, const Terminal& terminal, const Summary& summary,
                          size_t locations) {
  SummaryPrinter(out, terminal, summary).print(locations);
}

}  // namespace memlens::report
