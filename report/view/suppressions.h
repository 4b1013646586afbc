// What is known to leak and accepted: suppression files of LeakSanitizer.
//
//   # a comment
//   leak:libfoo.so
//   leak:^create_cache$
//
// A stack is suppressed when one of its frames' function, file or module contains the pattern: `*`
// stands for anything, `^` and `$` for the text's beginning and end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/view/stack_sums.h"

namespace memlens::report {

struct Suppression {
  std::string pattern;
  size_t line = 0;  // in its file
  // What it has suppressed.
  size_t stacks = 0;
  reader::Tally tally{};
};

// `name` is for messages. Throws std::runtime_error with file and line of what is no suppression.
std::vector<Suppression> parse_suppressions(std::string_view text, const std::string& name);

bool matches_suppression(std::string_view pattern, std::string_view text);
// One of its texts.
bool matches_suppression(std::string_view pattern, const reader::Frame& frame);

// Takes what is suppressed out of the stacks' leaks view and counts it at the first suppression
// that matches. The other views stay: memory that may leak is memory all the same.
void suppress_leaks(std::vector<Suppression>& suppressions, const FrameTree& tree,
                    std::vector<StackSums>& stacks);

}  // namespace memlens::report
