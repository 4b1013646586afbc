// memlens growing for programs to read: "memlens.growing/1", lines and stacks with their bytes at
// the marks.
#pragma once

#include <ostream>
#include <vector>

#include "report/view/growing.h"

namespace memlens::report {

// `limit`: only the first lines and stacks; 0: all. The totals are always of all.
void write_growing_json(std::ostream& out, const reader::CaptureInfo& info,
                        const std::vector<reader::LeftOut>& left_out, const reader::Growth& growth,
                        const Growing& growing, const FrameTree& tree, size_t limit);

}  // namespace memlens::report
