// The columns of a page's sites: where blocks come from, when they live, and how large they are.
#pragma once

#include <cstdint>
#include <vector>

#include "report/html/column.h"
#include "report/html/page_model.h"

namespace memlens::report::html {

// `position`: of each node in the walk that numbers the page's nodes.
void add_site_columns(const std::vector<PageSite>& sites, const std::vector<uint32_t>& position,
                      std::vector<Column>& columns);

}  // namespace memlens::report::html
