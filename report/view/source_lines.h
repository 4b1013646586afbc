// What each source line holds: every stack counts at exactly one line, so columns add up.
#pragma once

#include <string_view>
#include <vector>

#include "reader/capture/profiled_function.h"
#include "report/view/code_origin.h"
#include "report/view/stack_sums.h"

namespace memlens::report {

struct SourceLine {
  const reader::Frame* frame = nullptr;  // of the tree
  std::array<reader::Tally, kViews.size()> tallies;

  const reader::Tally& of(View view) const { return tallies[static_cast<unsigned>(view)]; }
};

// A stack counts at its responsible line (responsible.h). Heaviest at the peak first.
std::vector<SourceLine> find_source_lines(const std::vector<StackSums>& stacks,
                                          const FrameTree& tree, const CodeOrigins& origins);

// Of one file: a stack counts at its innermost line in it. In order of lines.
std::vector<SourceLine> find_lines_of_file(const std::vector<StackSums>& stacks,
                                           const FrameTree& tree, std::string_view file);

// Of one Python function: a stack counts at its innermost line in it, so a call holds what
// everything below it holds, and one of a recursive function its innermost. In order of lines.
std::vector<SourceLine> find_lines_of_function(const std::vector<StackSums>& stacks,
                                               const FrameTree& tree,
                                               const reader::ProfiledFunction& function);

// The files in the stacks that a user may mean by `name`: the one of that path, or those that end
// in it.
std::vector<std::string_view> find_files(const FrameTree& tree, std::string_view name);

}  // namespace memlens::report
