// Whose code a frame is: what decides which line of a stack a report names.
#pragma once

#include <cstdint>
#include <vector>

#include "report/view/frame_tree.h"
#include "report/view/stack_list.h"

namespace memlens::report {

// The later, the less it says about the program.
enum class CodeOrigin : uint8_t {
  kProgram,    // the program's own, and packages installed for it
  kLibrary,    // Python's standard library, the system's shared libraries
  kMachinery,  // imports, allocation functions, containers' insides, frames memlens supplies
};

CodeOrigin code_origin_of(const reader::Frame& frame);

// A native frame of which only the address in its file is known ("libfoo.so+0x1234").
bool is_nameless(const reader::Frame& frame);

// Part of how Python imports a module, not of the module.
bool is_import_machinery(const reader::Frame& frame);

// Inside the C++ library or an operator new: how a container allocates, not which.
bool is_cpp_machinery(const reader::Frame& frame);

// The same stacks without import machinery, so that an imported module stands below the line that
// imports it, and with only the outermost of C++ machinery, which is what the program called. A
// stack of nothing else keeps it.
FramesOf without_machinery(FramesOf frames_of);

// The frame of a stack that a maintainer of the program would look at: the innermost one of the
// program's own code, Python before native; else of a library's; else one without a name; else the
// innermost. `json.loads` called from app.py is app.py's line, and so is everything `import x`
// pulls in. In a stripped program that calls a library with names, those say more than its own
// addresses.
FrameTree::NodeId responsible_node(const FrameTree& tree, FrameTree::NodeId leaf);

// The same of very many stacks: whose code a frame is, is found out once.
class ResponsibleNodes {
 public:
  // The tree outlives it, and does not change meanwhile.
  explicit ResponsibleNodes(const FrameTree& tree);

  FrameTree::NodeId of(FrameTree::NodeId leaf);

 private:
  int rank_of(FrameTree::NodeId node);

  const FrameTree& tree_;
  std::vector<int8_t> ranks_;  // by frame id; kUnknownRank: not asked for yet
};

}  // namespace memlens::report
