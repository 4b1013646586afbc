// The frame of a stack that a maintainer of the program would look at.
#pragma once

#include <cstdint>
#include <vector>

#include "report/view/code_origin.h"
#include "report/view/frame_tree.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// The innermost frame of the project's code, Python before native; else of a package's; else of a
// library's (CodeOrigins::rank_of); else one without a name; else the innermost. `json.loads`
// called from app.py is app.py's line, and so is everything `import x` pulls in.
//
// Of a program's own pool (include/memlens.h) it is who called the pool: what reports a block is
// the pool's function, as far as it is named like one (arena_alloc, Arena::allocate).
//
// What an event loop runs is not its caller's: where nobody's own code is called, that is a line of
// the loop or of what it called, and not `asyncio.run(main())`.
//
// What Python's `site` runs before the program begins (.pth files, sitecustomize) is the
// start-up's: there the line of `site` itself is responsible.
FrameTree::NodeId responsible_node(const FrameTree& tree, FrameTree::NodeId leaf,
                                   const CodeOrigins& origins);

// The same of very many stacks, in time proportional to the tree and not to the stacks' depths: a
// stack's responsible frame is its own innermost one, or that of the stack of its caller.
class ResponsibleNodes {
 public:
  // The tree outlives it, and does not change meanwhile.
  ResponsibleNodes(const FrameTree& tree, const CodeOrigins& origins);

  FrameTree::NodeId of(FrameTree::NodeId leaf) const { return nodes_[leaf]; }

 private:
  std::vector<FrameTree::NodeId> nodes_;
};

// The same stacks without import machinery, so that an imported module stands below the line that
// imports it, and with only the outermost of a container's insides, which is what the program
// called. A stack of nothing else keeps it.
FramesOf without_machinery(FramesOf frames_of);

}  // namespace memlens::report
