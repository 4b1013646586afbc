// Keeps a page small enough to open, whatever the capture.
#pragma once

#include <cstddef>

#include "report/html/page_model.h"

namespace memlens::report::html {

// Keeps at most `budget` nodes: the most important ones as they are. The others become, below each
// node that lost some, one kOthers node; below it stand the functions at the end of the stacks that
// were merged, so that who allocates keeps its name and only the way there is lost. Sums over any
// subtree that survives are what they were, in every view and range.
//
// A node's importance is its largest share of any view's bytes or blocks, so whatever is large in
// one view stays even if it is nothing in the others. A parent is never less important than its
// child, so what is kept is a tree.
void fit_node_budget(PageModel& page, size_t budget);

// Halves the number of time buckets until the sites hold at most `budget` cells, or the next
// halving would leave fewer than `fewest_buckets`.
void fit_cell_budget(PageModel& page, size_t budget, size_t fewest_buckets);

// Both: at most `budget` nodes, and cells in proportion. Where sites are so busy that even coarse
// time takes too many cells, further nodes are merged: when something happened is worth more than
// the smallest bars.
void fit_budget(PageModel& page, size_t budget);

}  // namespace memlens::report::html
