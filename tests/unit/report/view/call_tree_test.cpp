#include "report/view/call_tree.h"

#include <doctest/doctest.h>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

TEST_CASE("a node's total is its own and its callees'") {
  sample::Sample sample;
  sample.add("main", 1, 1).add("main a", 10, 1).add("main a c", 5, 2).add("main b", 40, 1);
  FrameTree frames;
  const StackList list(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), frames);
  const CallTree tree(list, frames, View::kPeak);

  CHECK(tree.total(FrameTree::kRoot).bytes == 56);
  CHECK(tree.own(FrameTree::kRoot).bytes == 0);
  REQUIRE(tree.children(FrameTree::kRoot).size() == 1);
  const auto main_node = tree.children(FrameTree::kRoot)[0];
  CHECK(tree.own(main_node).bytes == 1);
  REQUIRE(tree.children(main_node).size() == 2);
  CHECK(frames.frame(tree.children(main_node)[0]).function == "b");
  const auto a = tree.children(main_node)[1];
  CHECK(tree.own(a).bytes == 10);
  CHECK(tree.total(a).bytes == 15);
  CHECK(tree.total(a).blocks == 3);
}

TEST_CASE("nodes of other views that weigh nothing in this one are left out") {
  sample::Sample sample;
  sample.add("main a", 10, 1).add("main b", 20, 1);
  sample.sites[1].peak = {};
  FrameTree frames;
  const StackList all(sample.sites, View::kAllocations, Grouping::kByFrames, sample.frames(),
                      frames);
  const StackList list(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), frames);
  const CallTree tree(list, frames, View::kPeak);
  const auto main_node = tree.children(FrameTree::kRoot)[0];
  CHECK(tree.children(main_node).size() == 1);
}
