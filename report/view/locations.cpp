#include "report/view/locations.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace memlens::report {

std::vector<Location> find_locations(const StackList& list, const FrameTree& tree, View view,
                                     const CodeOrigins& origins) {
  std::unordered_map<uint32_t, size_t> place_of_frame;
  std::vector<Location> locations;
  const ResponsibleNodes responsible(tree, origins);
  for (const Stack& stack : list.stacks()) {
    const FrameTree::NodeId node = responsible.of(stack.node);
    const auto [place, added] = place_of_frame.try_emplace(tree.frame_id(node), locations.size());
    if (added) locations.push_back({&tree.frame(node), {}, 0});
    Location& location = locations[place->second];
    location.tally += stack.tally;
    ++location.stacks;
  }
  std::ranges::stable_sort(locations, std::greater{}, [&](const Location& location) {
    return weight_of(location.tally, view);
  });
  return locations;
}

}  // namespace memlens::report
