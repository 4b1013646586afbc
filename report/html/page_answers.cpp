#include "report/html/page_answers.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>

#include "report/view/growing.h"
#include "report/view/responsible.h"
#include "report/view/view.h"

namespace memlens::report::html {
namespace {

using nlohmann::json;

constexpr size_t kListedPlaces = 3;
constexpr size_t kListedGrowing = 20;

json place_of(const reader::Frame& frame, const PageFrames& frames) {
  return {{"function", std::string(frame.function)},
          {"file", frames.shown_path(frame.file)},
          {"line", frame.line}};
}

}  // namespace

json page_findings(const std::vector<PageSentence>& sentences) {
  json list = json::array();
  for (const PageSentence& sentence : sentences) {
    list.push_back(
        {{"title", sentence.title}, {"severity", sentence.severity}, {"text", sentence.text}});
  }
  return list;
}

json page_places(const std::vector<reader::Site>& sites,
                 const std::vector<FrameTree::NodeId>& nodes, const FrameTree& tree,
                 const CodeOrigins& origins, const PageFrames& frames) {
  const ResponsibleNodes responsible(tree, origins);
  json all = json::object();
  for (const View view : kViews) {
    std::unordered_map<uint32_t, reader::Tally> sums;  // by frame
    for (size_t i = 0; i < sites.size(); ++i) {
      const reader::Tally& tally = tally_of(sites[i], view);
      if (tally.blocks == 0 && tally.bytes == 0) continue;
      sums[tree.frame_id(responsible.of(nodes[i]))] += tally;
    }
    std::vector<std::pair<uint32_t, reader::Tally>> places(sums.begin(), sums.end());
    std::ranges::sort(places, std::greater{}, [view](const auto& place) {
      return std::pair(weight_of(place.second, view), place.first);
    });
    json list = json::array();
    for (const auto& [frame, tally] :
         std::span(places).first(std::min(places.size(), kListedPlaces))) {
      json place = place_of(tree.frames()[frame], frames);
      place["bytes"] = tally.bytes;
      place["blocks"] = tally.blocks;
      list.push_back(std::move(place));
    }
    all[std::string(view_name(view))] = std::move(list);
  }
  return all;
}

json page_growing(const reader::Analysis& analysis, const FramesOf& frames_of,
                  const CodeOrigins& origins, const PageFrames& frames) {
  FrameTree tree;
  const Growing growing = find_growing(analysis, frames_of, tree, origins);
  json list = json::array();
  for (const GrowingPlace& grown :
       std::span(growing.places).first(std::min(growing.places.size(), kListedGrowing))) {
    json place = place_of(*grown.frame, frames);
    place["gained_bytes"] = grown.gained_bytes;
    place["bytes_per_second"] = grown.bytes_per_second;
    place["since_seconds"] = grown.since_seconds;
    place["stacks"] = grown.stacks;
    place["shape"] = growth_shape_name(grown.shape);
    for (const reader::GrowthPoint& point : grown.points) place["points"].push_back(point.bytes);
    list.push_back(std::move(place));
  }
  return {{"leaking_bytes", growing.leaking_bytes()}, {"places", std::move(list)}};
}

}  // namespace memlens::report::html
