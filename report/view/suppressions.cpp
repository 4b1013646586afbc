#include "report/view/suppressions.h"

#include <algorithm>
#include <stdexcept>

namespace memlens::report {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view without_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// By frame: the first suppression that matches, or their number.
std::vector<size_t> suppression_of_frames(const std::vector<Suppression>& suppressions,
                                          const FrameTree& tree) {
  std::vector<size_t> first(tree.frames().size(), suppressions.size());
  for (size_t frame = 0; frame < first.size(); ++frame) {
    for (size_t i = 0; i < suppressions.size(); ++i) {
      if (!matches_suppression(suppressions[i].pattern, tree.frames()[frame])) continue;
      first[frame] = i;
      break;
    }
  }
  return first;
}

}  // namespace

std::vector<Suppression> parse_suppressions(std::string_view text, const std::string& name) {
  constexpr std::string_view kKind = "leak:";
  std::vector<Suppression> suppressions;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const std::string_view pattern =
        line.starts_with(kKind) ? without_blanks(line.substr(kKind.size())) : "";
    if (pattern.empty()) {
      throw std::runtime_error(name + ": line " + std::to_string(number) + ": '" +
                               std::string(line) + "' is no suppression; write leak:PATTERN");
    }
    suppressions.push_back({std::string(pattern), number});
  }
  return suppressions;
}

bool matches_suppression(std::string_view pattern, std::string_view text) {
  if (text.empty()) return false;
  const bool at_begin = pattern.starts_with('^');
  if (at_begin) pattern.remove_prefix(1);
  const bool at_end = pattern.ends_with('$');
  if (at_end) pattern.remove_suffix(1);
  // Each part between stars is found after the one before it; the first match is never worse.
  for (bool first = true;; first = false) {
    const size_t star = pattern.find('*');
    const std::string_view part = pattern.substr(0, star);
    const bool last = star == std::string_view::npos;
    if (last && at_end) {
      if (first && at_begin) return text == part;
      return text.ends_with(part);
    }
    if (first && at_begin) {
      if (!text.starts_with(part)) return false;
      text.remove_prefix(part.size());
    } else {
      const size_t at = text.find(part);
      if (at == std::string_view::npos) return false;
      text.remove_prefix(at + part.size());
    }
    if (last) return true;
    pattern.remove_prefix(star + 1);
  }
}

bool matches_suppression(std::string_view pattern, const reader::Frame& frame) {
  return matches_suppression(pattern, frame.function) ||
         matches_suppression(pattern, frame.linkage_name) ||
         matches_suppression(pattern, frame.file) || matches_suppression(pattern, frame.module);
}

void suppress_leaks(std::vector<Suppression>& suppressions, const FrameTree& tree,
                    std::vector<StackSums>& stacks) {
  const std::vector<size_t> of_frame = suppression_of_frames(suppressions, tree);
  for (StackSums& stack : stacks) {
    reader::Tally& leaked = stack.tallies[static_cast<unsigned>(View::kLeaks)];
    if (leaked.bytes == 0 && leaked.blocks == 0) continue;
    size_t found = suppressions.size();
    for (FrameTree::NodeId node = stack.node; node != FrameTree::kRoot; node = tree.parent(node)) {
      found = std::min(found, of_frame[tree.frame_id(node)]);
    }
    if (found == suppressions.size()) continue;
    ++suppressions[found].stacks;
    suppressions[found].tally += leaked;
    leaked = {};
  }
}

}  // namespace memlens::report
