// memlens growing for programs to read: "memlens.stacks/1" with the bytes at the marks.
#pragma once

#include <ostream>
#include <vector>

#include "report/view/growing.h"

namespace memlens::report {

// `limit`: only the first stacks; 0: all. The totals are always of all.
void write_growing_json(std::ostream& out, const reader::CaptureInfo& info,
                        const std::vector<double>& marks, const std::vector<GrowingStack>& stacks,
                        const FrameTree& tree, size_t limit);

}  // namespace memlens::report
