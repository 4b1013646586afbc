#include "report/view/stack_list.h"

#include <doctest/doctest.h>

#include "report/view/locations.h"
#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using format::AllocationKind;

TEST_CASE("stacks are listed by weight and sum up to the sites") {
  sample::Sample sample;
  sample.add("main a", 10, 1).add("main b", 30, 2).add("main c", 20, 9);
  FrameTree tree;
  const StackList list(sample.sites, View::kPeak, Grouping::kByThread, sample.frames(), tree);
  REQUIRE(list.stacks().size() == 3);
  CHECK(sample::calls_of(tree, list.stacks()[0].node) == "main b");
  CHECK(sample::calls_of(tree, list.stacks()[1].node) == "main c");
  CHECK(list.total().bytes == 60);
  CHECK(list.total().blocks == 12);
}

TEST_CASE("temporary stacks are listed by their number of blocks") {
  sample::Sample sample;
  sample.add("main a", 10, 1).add("main b", 30, 2).add("main c", 20, 9);
  FrameTree tree;
  const StackList list(sample.sites, View::kTemporary, Grouping::kByThread, sample.frames(), tree);
  CHECK(sample::calls_of(tree, list.stacks()[0].node) == "main c");
}

TEST_CASE("sites whose shown frames are equal are one stack") {
  sample::Sample sample;
  sample.add("main !x", 10, 1)
      .add("main !y", 5, 1)
      .add("main !y", 7, 1, 1, AllocationKind::kCalloc);
  FrameTree tree;
  const StackList all(sample.sites, View::kPeak, Grouping::kByThread, sample.frames(true), tree);
  CHECK(all.stacks().size() == 2);
  const StackList list(sample.sites, View::kPeak, Grouping::kByThread, sample.frames(false), tree);
  REQUIRE(list.stacks().size() == 1);
  CHECK(list.stacks()[0].tally.bytes == 22);
  CHECK(list.stacks()[0].tally.blocks == 3);
  REQUIRE(list.stacks()[0].parts.size() == 2);
  CHECK(list.stacks()[0].parts[0].tally.bytes == 15);
  CHECK(list.stacks()[0].parts[1].kind == AllocationKind::kCalloc);
}

TEST_CASE("threads stay apart unless grouped by frames") {
  sample::Sample sample;
  sample.add("main a", 10, 1, 1).add("main a", 30, 1, 2);
  FrameTree tree;
  const StackList apart(sample.sites, View::kPeak, Grouping::kByThread, sample.frames(), tree);
  CHECK(apart.stacks().size() == 2);
  CHECK(apart.stacks()[0].thread_index == 2);
  const StackList one(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), tree);
  REQUIRE(one.stacks().size() == 1);
  CHECK(one.stacks()[0].tally.bytes == 40);
  CHECK(one.stacks()[0].thread_index == 2);
}

TEST_CASE("sites without blocks in the view are left out, blocks of no bytes are not") {
  sample::Sample sample;
  sample.add("main a", 0, 0).add("main b", 0, 3);
  FrameTree tree;
  const StackList list(sample.sites, View::kPeak, Grouping::kByThread, sample.frames(), tree);
  REQUIRE(list.stacks().size() == 1);
  CHECK(list.stacks()[0].tally.blocks == 3);
}

TEST_CASE("locations sum the stacks of a line") {
  sample::Sample sample;
  sample.add("main a", 10, 1).add("other a", 30, 2).add("main bb", 20, 1).add("main bb !x", 1, 1);
  FrameTree tree;
  const StackList list(sample.sites, View::kPeak, Grouping::kByFrames, sample.frames(), tree);
  const auto locations =
      find_locations(list, tree, View::kPeak, CodeOrigins(sample::capture_info()));
  REQUIRE(locations.size() == 2);
  CHECK(locations[0].frame->function == "a");
  CHECK(locations[0].tally.bytes == 40);
  CHECK(locations[0].stacks == 2);
  CHECK(locations[1].frame->function == "bb");
  CHECK(locations[1].tally.bytes == 21);
}
