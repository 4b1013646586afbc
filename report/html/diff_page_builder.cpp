#include "report/html/diff_page_builder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "reader/text/base_name.h"
#include "report/html/page_frames.h"
#include "report/view/frame_tree.h"
#include "report/view/matched_trees.h"

namespace memlens::report::html {
namespace {

using nlohmann::json;
using reader::RangeCell;
using reader::RangeTally;

// The page knows blocks by when they were allocated and removed (reader/analysis/range_matrix.h).
// Two captures have no time in common, so their views are put into one bucket of it, each into a
// corner that no other view looks at: cell 1 is before the bucket's high, cell 2 from it on.
constexpr uint16_t kBefore = 0;
constexpr uint16_t kFromHigh = 2;

RangeTally range_tally(const reader::Tally& tally) { return {tally.bytes, tally.blocks}; }

RangeTally difference(const reader::Tally& whole, const reader::Tally& part) {
  return {whole.bytes - std::min(part.bytes, whole.bytes),
          whole.blocks - std::min(part.blocks, whole.blocks)};
}

reader::RangeSite range_of(const reader::Site& site) {
  reader::RangeSite range;
  const auto add = [&](uint16_t allocated, uint16_t removed, const RangeTally& tally) {
    if (tally != RangeTally{}) range.cells.push_back({allocated, removed, false, tally});
  };
  add(kBefore, kFromHigh, range_tally(site.peak));                     // peak only
  add(kFromHigh, kFromHigh, difference(site.allocated, site.leaked));  // allocations only
  add(kFromHigh, RangeCell::kNever, range_tally(site.leaked));         // both, and leaks
  if (site.temporary.blocks != 0) range.temporary.push_back({0, range_tally(site.temporary)});
  return range;
}

constexpr uint32_t kOldLane = 0;
constexpr uint32_t kNewLane = 1;

class DiffPageBuilder {
 public:
  DiffPageBuilder(const DiffPageSide& old_side, const DiffPageSide& new_side,
                  const PageOptions& options)
      : old_(old_side), new_(new_side), options_(options) {}

  PageModel build() {
    const std::vector<FrameTree::NodeId> old_nodes = intern(old_, old_tree_);
    const std::vector<FrameTree::NodeId> new_nodes = intern(new_, new_tree_);
    const MatchedTrees matched({old_tree_, old_.capture.info().working_directory},
                               {new_tree_, new_.capture.info().working_directory});
    page_.nodes.resize(matched.node_count());
    page_.frames.resize(matched.frame_count());
    // The new one's last: a frame is shown as it is there.
    add_tree(old_, old_tree_, matched.old_nodes(), matched.old_frames());
    add_tree(new_, new_tree_, matched.new_nodes(), matched.new_frames());
    add_sites(old_, old_nodes, matched.old_nodes(), kOldLane);
    add_sites(new_, new_nodes, matched.new_nodes(), kNewLane);
    page_.axis_to_seconds = 1;
    page_.buckets = {{1, 0}};
    add_about();
    return std::move(page_);
  }

 private:
  // Of each site, the leaf of its stack.
  std::vector<FrameTree::NodeId> intern(const DiffPageSide& side, FrameTree& tree) const {
    std::vector<FrameTree::NodeId> nodes;
    std::map<std::pair<uint32_t, uint32_t>, FrameTree::NodeId> known;
    for (const reader::Site& site : side.analysis.sites) {
      const auto [place, added] =
          known.try_emplace({site.process_index, site.node}, FrameTree::kRoot);
      if (added) {
        place->second = tree.intern(side.capture.frames(
            site.process_index, site.node, options_.native, reader::TaskFrames::kInPlace));
      }
      nodes.push_back(place->second);
    }
    return nodes;
  }

  void add_tree(const DiffPageSide& side, const FrameTree& tree,
                const std::vector<uint32_t>& node_ids, const std::vector<uint32_t>& frame_ids) {
    for (FrameTree::NodeId node = 1; node < tree.size(); ++node) {
      page_.nodes[node_ids[node]] = {node_ids[tree.parent(node)], frame_ids[tree.frame_id(node)],
                                     0};
    }
    const PageFrames frames(side.capture.info(), options_.redact);
    for (size_t i = 0; i < frame_ids.size(); ++i) {
      page_.frames[frame_ids[i]] = frames.make(tree.frames()[i], page_.strings);
    }
  }

  void add_sites(const DiffPageSide& side, const std::vector<FrameTree::NodeId>& nodes,
                 const std::vector<uint32_t>& node_ids, uint32_t lane) {
    std::map<std::pair<uint32_t, format::AllocationKind>, reader::Site> sums;
    for (size_t i = 0; i < nodes.size(); ++i) {
      const reader::Site& site = side.analysis.sites[i];
      reader::Site& sum = sums[{node_ids[nodes[i]], site.kind}];
      sum.peak += site.peak;
      sum.leaked += site.leaked;
      sum.temporary += site.temporary;
      sum.allocated += site.allocated;
    }
    for (const auto& [key, sum] : sums) {
      PageSite site;
      site.node = key.first;
      site.lane = lane;
      site.kind = key.second;
      site.range = range_of(sum);
      page_.sites.push_back(std::move(site));
    }
  }

  json facts(const DiffPageSide& side) const {
    const reader::CaptureInfo& info = side.capture.info();
    const reader::Totals& totals = side.analysis.totals;
    std::string name = std::string(reader::base_name(info.path));
    return {{"capture", std::move(name)},
            {"command", PageFrames(info, options_.redact).command()},
            {"complete", info.complete},
            {"early_end", info.early_end},
            {"python", info.python ? json(*info.python) : json()},
            {"duration_seconds", info.duration_seconds},
            {"sample_bytes", info.sample_bytes},
            {"peak_bytes", totals.peak_bytes},
            {"leaked_bytes", totals.leaked_bytes},
            {"allocations", totals.allocations},
            {"allocated_bytes", totals.allocated_bytes}};
  }

  void add_about() {
    const reader::CaptureInfo& info = new_.capture.info();
    const reader::Totals& totals = new_.analysis.totals;
    json& about = page_.about;
    about["memlens"] = MEMLENS_VERSION;
    about["diff"] = {{"old", facts(old_)}, {"new", facts(new_)}};
    about["command"] = PageFrames(info, options_.redact).command();
    about["complete"] = info.complete && old_.capture.info().complete;
    about["ending"] = info.complete ? old_.capture.info().ending : info.ending;
    about["python"] = info.python ? json(*info.python) : json();
    about["duration_seconds"] = info.duration_seconds;
    about["first_view"] = view_name(options_.first_view);
    about["by_task"] = options_.by_task;
    about["redacted"] = options_.redact;
    about["capture"] = std::string(reader::base_name(info.path));
    about["start_unix_ms"] = info.start_unix_ns / 1000000;
    if (!options_.redact) about["working_directory"] = info.working_directory;
    about["sample_bytes"] = std::max(info.sample_bytes, old_.capture.info().sample_bytes);
    about["totals"] = {{"lost_events", totals.lost_events}};
    about["processes"] = json::array();
    about["lanes"] = json::array();
    for (const char* name : {"old", "new"}) {
      about["lanes"].push_back({{"process", 0},
                                {"pid", 0},
                                {"thread", 0},
                                {"tid", 0},
                                {"name", name},
                                {"start_seconds", json()}});
    }
    about["marks"] = json::array();
    about["notes"] = json::array();
  }

  const DiffPageSide& old_;
  const DiffPageSide& new_;
  const PageOptions& options_;
  PageModel page_;
  FrameTree old_tree_;
  FrameTree new_tree_;
};

}  // namespace

PageModel build_diff_page(const DiffPageSide& old_side, const DiffPageSide& new_side,
                          const PageOptions& options) {
  return DiffPageBuilder(old_side, new_side, options).build();
}

}  // namespace memlens::report::html
