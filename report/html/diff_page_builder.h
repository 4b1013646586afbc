// The page of two captures side by side: one tree in which every bar has what the old capture and
// what the new one holds there, in each view.
#pragma once

#include "report/html/page_builder.h"

namespace memlens::report::html {

struct DiffPageSide {
  const reader::Capture& capture;
  const reader::Analysis& analysis;
};

// Frames are matched as report/view/matched_trees.h does.
PageModel build_diff_page(const DiffPageSide& old_side, const DiffPageSide& new_side,
                          const PageOptions& options);

}  // namespace memlens::report::html
