// The stacks of one view: sites whose shown frames are equal become one stack.
//
// Invariant: the sums over the stacks equal the sums over the sites.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "report/view/frame_tree.h"
#include "report/view/view.h"

namespace memlens::report {

enum class Grouping : uint8_t {
  kByThread,  // stacks of different threads or processes stay apart
  kByFrames,  // one stack for all of them
};

// The part of a stack that one function ("malloc", "PyObject_Malloc", ...) allocated in one thread.
struct StackPart {
  FrameTree::NodeId node = 0;
  uint32_t process_index = 0;
  uint32_t thread_index = 0;
  format::AllocationKind kind = format::AllocationKind::kMalloc;
  reader::Tally tally;
};

struct Stack {
  FrameTree::NodeId node = 0;
  uint32_t process_index = 0;  // under kByFrames, of the part that weighs most
  uint32_t thread_index = 0;
  reader::Tally tally;
  std::span<const StackPart> parts;  // of the list
};

// Where the shown frames of a node of a process come from: usually the capture.
using FramesOf = std::function<std::vector<reader::Frame>(uint32_t process_index, uint32_t node)>;

class StackList {
 public:
  // Keeps the sites that count in the view; their stacks are interned into the tree.
  StackList(const std::vector<reader::Site>& sites, View view, Grouping grouping,
            const FramesOf& frames_of, FrameTree& tree);

  StackList(StackList&&) = default;
  StackList(const StackList&) = delete;

  // The heaviest first (weight_of); ties in a fixed order.
  const std::vector<Stack>& stacks() const { return stacks_; }
  const reader::Tally& total() const { return total_; }

 private:
  std::vector<StackPart> parts_;
  std::vector<Stack> stacks_;
  reader::Tally total_;
};

}  // namespace memlens::report
