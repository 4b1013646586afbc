// What the page says before anybody looks: the first sentences of `memlens explain`, the lines that
// hold most of each view, and those whose memory grows. Facts of the whole recording, as `memlens
// summary` and `memlens growing` have them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reader/analysis/analysis.h"
#include "report/html/page_frames.h"
#include "report/view/code_origin.h"
#include "report/view/frame_tree.h"
#include "report/view/stack_list.h"

namespace memlens::report::html {

// One of `memlens explain`.
struct PageSentence {
  std::string title;     // "Leak (likely)"
  std::string severity;  // "high", "medium", "low"
  std::string text;
};

nlohmann::json page_findings(const std::vector<PageSentence>& sentences);

// View -> the heaviest places. `nodes`: of each site, the leaf of its stack in the tree.
nlohmann::json page_places(const std::vector<reader::Site>& sites,
                           const std::vector<FrameTree::NodeId>& nodes, const FrameTree& tree,
                           const CodeOrigins& origins, const PageFrames& frames);

// The places of `memlens growing`, most gained first. The analysis has marks (Query::growth_marks).
nlohmann::json page_growing(const reader::Analysis& analysis, const FramesOf& frames_of,
                            const CodeOrigins& origins, const PageFrames& frames);

}  // namespace memlens::report::html
