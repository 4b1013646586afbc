// What makes a node of the page worth its place: its largest share of any view.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "report/html/page_model.h"

namespace memlens::report::html {

// Bytes and blocks of: peak, still allocated, temporary, all.
constexpr size_t kMeasures = 8;
using Measures = std::array<double, kMeasures>;

// What a site counts for in each view. `peak_boundary`: see below.
Measures measure_site(const PageSite& site, uint16_t peak_boundary);

// The cell from which on a block must live to be part of the peak.
uint16_t peak_boundary(const PageModel& page);

// Of each node, everything below it included; the root's are the views' totals.
std::vector<Measures> totals_of_nodes(const PageModel& page);

void add(Measures& sum, const Measures& part);

// The largest share of `part` in any of the measures.
double importance(const Measures& part, const Measures& whole);

}  // namespace memlens::report::html
