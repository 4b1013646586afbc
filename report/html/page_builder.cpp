#include "report/html/page_builder.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "reader/capture/left_out_text.h"
#include "reader/text/base_name.h"
#include "report/html/module_name.h"
#include "report/html/page_budget.h"
#include "report/html/page_curves.h"
#include "report/html/page_frames.h"
#include "report/view/frame_tree.h"
#include "report/view/resident.h"

namespace memlens::report::html {
namespace {

using nlohmann::json;

class PageBuilder {
 public:
  PageBuilder(const reader::Capture& capture, const reader::Analysis& analysis,
              const PageOptions& options)
      : capture_(capture),
        info_(capture.info()),
        analysis_(analysis),
        options_(options),
        frames_(info_, options.redact) {}

  PageModel build() {
    add_sites();
    add_nodes_and_frames();
    page_.axis_from_seconds = analysis_.ranges->from_seconds;
    page_.axis_to_seconds = analysis_.ranges->to_seconds;
    page_.buckets = analysis_.ranges->buckets;
    page_.curves = build_curves(analysis_, info_, capture_.resident_samples());
    add_about();
    return std::move(page_);
  }

 private:
  // Stacks that differ only in frames that are not shown become one, and their sites with them.
  void add_sites() {
    std::map<std::pair<uint32_t, uint32_t>, FrameTree::NodeId> shown_nodes;
    std::map<std::tuple<uint32_t, uint32_t, format::AllocationKind>, size_t> places;
    for (size_t i = 0; i < analysis_.sites.size(); ++i) {
      const reader::Site& site = analysis_.sites[i];
      const auto [shown, is_new] =
          shown_nodes.try_emplace({site.process_index, site.node}, FrameTree::kRoot);
      if (is_new) {
        shown->second = tree_.intern(capture_.frames(site.process_index, site.node, options_.native,
                                                     reader::TaskFrames::kInPlace));
      }
      site_nodes_.push_back(shown->second);
      const uint32_t lane = lane_of(site.process_index, site.thread_index);
      const auto [place, is_first] =
          places.try_emplace({shown->second, lane, site.kind}, page_.sites.size());
      if (is_first) {
        PageSite added;
        added.node = shown->second;
        added.lane = lane;
        added.kind = site.kind;
        page_.sites.push_back(std::move(added));
      }
      reader::append(page_.sites[place->second].range, analysis_.ranges->sites[i]);
    }
    for (PageSite& site : page_.sites) reader::merge_equal(site.range);
  }

  uint32_t lane_of(uint32_t process, uint32_t thread) {
    const auto [lane, added] =
        lanes_.try_emplace({process, thread}, static_cast<uint32_t>(lane_list_.size()));
    if (added) lane_list_.push_back({process, thread});
    return lane->second;
  }

  void add_nodes_and_frames() {
    page_.nodes.resize(tree_.size());
    for (FrameTree::NodeId node = 1; node < tree_.size(); ++node) {
      page_.nodes[node] = {tree_.parent(node), tree_.frame_id(node), 0};
    }
    page_.frames.reserve(tree_.frames().size());
    for (const reader::Frame& frame : tree_.frames()) {
      page_.frames.push_back(frames_.make(frame, page_.strings));
    }
  }

  void add_about() {
    json& about = page_.about;
    about["memlens"] = MEMLENS_VERSION;
    about["command"] = frames_.command();
    about["complete"] = info_.complete;
    about["has_gaps"] = info_.has_gaps;
    about["ending"] = info_.ending;
    about["early_end"] = info_.early_end;
    about["python"] = info_.python ? json(*info_.python) : json();
    about["duration_seconds"] = info_.duration_seconds;
    about["first_view"] = view_name(options_.first_view);
    about["by_task"] = options_.by_task;
    about["redacted"] = options_.redact;
    about["capture"] = std::string(reader::base_name(info_.path));
    about["start_unix_ms"] = info_.start_unix_ns / 1000000;
    if (!options_.redact) {
      about["hostname"] = info_.hostname;
      about["working_directory"] = info_.working_directory;
    }
    page_.heaps = info_.heaps;
    about["sample_bytes"] = info_.sample_bytes;
    about["totals"] = totals();
    about["resident"] = resident();
    about["processes"] = processes();
    about["lanes"] = lanes();
    about["marks"] = marks();
    about["shutdowns"] = shutdowns();
    about["notes"] = notes();
    add_answers();
  }

  void add_answers() {
    // Sentences name places as they are.
    if (!options_.redact) page_.about["findings"] = page_findings(options_.sentences);
    const CodeOrigins origins(info_, options_.own_code);
    page_.about["places"] = page_places(analysis_.sites, site_nodes_, tree_, origins, frames_);
    if (!analysis_.growth) return;
    const FramesOf frames_of = [this](uint32_t process_index, uint32_t node) {
      return capture_.frames(process_index, node, options_.native);
    };
    page_.about["growing"] = page_growing(analysis_, frames_of, origins, frames_);
  }

  json totals() const {
    const reader::Totals& totals = analysis_.totals;
    return {{"allocations", totals.allocations},
            {"frees", totals.frees},
            {"allocated_bytes", totals.allocated_bytes},
            {"peak_bytes", totals.peak_bytes},
            {"peak_blocks", totals.peak_blocks},
            {"peak_seconds", totals.peak_seconds},
            {"peak_is_exact", totals.peak_is_exact},
            {"leaked_bytes", totals.leaked_bytes},
            {"leaked_blocks", totals.leaked_blocks},
            {"temporary_bytes", totals.temporary_bytes},
            {"temporary_blocks", totals.temporary_blocks},
            {"lost_events", totals.lost_events},
            {"untouched_at_peak_bytes", totals.untouched_at_peak_bytes.value_or(0)}};
  }

  json resident() const {
    const ResidentMemory memory =
        resident_memory(info_, capture_.resident_samples(), analysis_.totals, options_.query);
    if (!memory.at_peak) return {};
    json about = {{"at_peak", *memory.at_peak},
                  {"highest", memory.highest.value_or(0)},
                  {"untracked", memory.untracked.value_or(0)}};
    if (const auto at =
            resident_parts_at(capture_, analysis_.totals.peak_seconds, options_.query)) {
      about["parts"] = {{"anonymous", at->sum.anonymous + at->sum.stack},
                        {"files", at->sum.files},
                        {"shared", at->sum.shared},
                        {"recorder", at->sum.recorder},
                        {"swapped", at->sum.swapped},
                        {"proportional", at->sum.proportional}};
    }
    return about;
  }

  json processes() const {
    static constexpr const char* kOrigins[] = {"started", "forked", "executed"};
    json list = json::array();
    for (const reader::ProcessInfo& process : info_.processes) {
      list.push_back(
          {{"index", process.index},
           {"pid", process.pid},
           {"name", process_name(process)},
           {"origin", kOrigins[std::min<size_t>(2, static_cast<size_t>(process.origin))]},
           {"start_seconds", process.start_seconds}});
    }
    return list;
  }

  // The script of an interpreter says more than the interpreter.
  static std::string process_name(const reader::ProcessInfo& process) {
    std::string name(reader::base_name(process.executable));
    if (!is_interpreter(process.executable) || process.command.size() < 2) return name;
    const std::string& first = process.command[1];
    if (!first.starts_with('-')) return std::string(reader::base_name(first));
    const bool is_module = first == "-m" && process.command.size() > 2;
    return is_module ? "-m " + process.command[2] : name;
  }

  json lanes() const {
    json list = json::array();
    for (const auto& [process, thread] : lane_list_) {
      const auto known =
          std::ranges::find_if(info_.threads, [&, process = process, thread = thread](auto& each) {
            return each.process_index == process && each.index == thread;
          });
      const auto owner = std::ranges::find(info_.processes, process, &reader::ProcessInfo::index);
      const bool is_known = known != info_.threads.end();
      list.push_back({{"process", process},
                      {"pid", owner != info_.processes.end() ? owner->pid : 0},
                      {"thread", thread},
                      {"tid", is_known ? known->tid : 0},
                      {"name", is_known ? known->name : ""},
                      {"start_seconds", is_known ? json(known->start_seconds) : json()}});
    }
    return list;
  }

  json marks() const {
    json list = json::array();
    for (const reader::Mark& mark : analysis_.marks) {
      list.push_back({{"seconds", mark.seconds}, {"name", mark.name}});
    }
    return list;
  }

  json shutdowns() const {
    json list = json::array();
    for (const reader::Shutdown& shutdown : analysis_.shutdowns) {
      list.push_back({{"seconds", shutdown.seconds}, {"process", shutdown.process_index}});
    }
    return list;
  }

  json notes() const {
    json list = json::array();
    for (const std::vector<reader::LeftOut>* entries : {&analysis_.left_out, &info_.left_out}) {
      for (const reader::LeftOut& entry : *entries) list.push_back(reader::describe(entry, info_));
    }
    for (const reader::Diagnostic& diagnostic : info_.diagnostics) {
      if (!options_.redact) list.push_back(diagnostic.text);
    }
    return list;
  }

  const reader::Capture& capture_;
  const reader::CaptureInfo& info_;
  const reader::Analysis& analysis_;
  const PageOptions& options_;
  const PageFrames frames_;
  PageModel page_;
  FrameTree tree_;
  std::vector<FrameTree::NodeId> site_nodes_;  // of each of the analysis's sites
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> lanes_;
  std::vector<std::pair<uint32_t, uint32_t>> lane_list_;
};

}  // namespace

PageModel build_page(const reader::Capture& capture, const reader::Analysis& analysis,
                     const PageOptions& options) {
  return PageBuilder(capture, analysis, options).build();
}

}  // namespace memlens::report::html
