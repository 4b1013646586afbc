// The curves of memory over time, resampled to the page's points.
#pragma once

#include <vector>

#include "reader/analysis/analysis.h"
#include "reader/capture/capture.h"
#include "report/html/page_model.h"

namespace memlens::report::html {

// Live and highest bytes of all processes, those of the largest processes, and resident sets.
std::vector<PageCurve> build_curves(const reader::Analysis& analysis,
                                    const reader::CaptureInfo& info,
                                    const std::vector<reader::ResidentSample>& samples);

}  // namespace memlens::report::html
