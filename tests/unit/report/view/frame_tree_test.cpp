#include "report/view/frame_tree.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using memlens::reader::Frame;
using memlens::report::FrameTree;

namespace {

Frame frame(std::string_view function, uint32_t line = 1) {
  Frame made;
  made.function = function;
  made.file = "a.py";
  made.line = line;
  return made;
}

}  // namespace

TEST_CASE("equal frames under equal callers are one node, wherever their texts lie") {
  FrameTree tree;
  const std::string leaf_one = "leaf", leaf_other = "leaf";
  const auto one = tree.intern(std::vector{frame(leaf_one), frame("main")});
  CHECK(tree.intern(std::vector{frame(leaf_other), frame("main")}) == one);
  CHECK(tree.size() == 3);
  CHECK(tree.frames().size() == 2);
  CHECK(tree.frame(one).function == "leaf");
  CHECK(tree.frame(tree.parent(one)).function == "main");
  CHECK(tree.parent(tree.parent(one)) == FrameTree::kRoot);
}

TEST_CASE("texts that share their beginning, and lines, tell frames apart") {
  FrameTree tree;
  const std::string_view text = "leafless";
  const auto leaf = tree.intern(std::vector{frame(text.substr(0, 4))});
  CHECK(tree.intern(std::vector{frame(text)}) != leaf);
  CHECK(tree.intern(std::vector{frame(text.substr(0, 4), 2)}) != leaf);
  CHECK(tree.intern(std::vector{frame(text.substr(0, 4))}) == leaf);
}

TEST_CASE("stacks that share callers with the last one, or only frames, keep their own nodes") {
  FrameTree tree;
  const auto deep = tree.intern(std::vector{frame("c"), frame("b"), frame("a")});
  const auto shorter = tree.intern(std::vector{frame("b"), frame("a")});
  CHECK(shorter == tree.parent(deep));
  CHECK(tree.intern(std::vector{frame("c"), frame("b"), frame("a")}) == deep);
  // The same frame at the same depth under another caller.
  const auto other = tree.intern(std::vector{frame("c"), frame("x"), frame("a")});
  CHECK(other != deep);
  CHECK(tree.parent(tree.parent(other)) == tree.parent(tree.parent(deep)));
  CHECK(tree.intern(std::vector<Frame>{}) == FrameTree::kRoot);
  CHECK(tree.intern(std::vector{frame("c"), frame("b"), frame("a")}) == deep);
  CHECK(tree.size() == 6);
}
