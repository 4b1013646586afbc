#include "report/view/suppressions.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;

TEST_CASE("a suppression file has a pattern a line, comments and empty lines") {
  const auto found = parse_suppressions("# known\n\n  leak:libfoo.so \r\nleak:^make*cache$\n", "f");
  REQUIRE(found.size() == 2);
  CHECK(found[0].pattern == "libfoo.so");
  CHECK(found[0].line == 3);
  CHECK(found[1].pattern == "^make*cache$");
  CHECK(parse_suppressions("", "f").empty());
}

TEST_CASE("what is no leak suppression names its file and line") {
  CHECK_THROWS_WITH_AS(parse_suppressions("leak:a\nrace:b\n", "x.supp"),
                       "x.supp: line 2: 'race:b' is no suppression; write leak:PATTERN",
                       std::runtime_error);
  CHECK_THROWS_AS(parse_suppressions("leak:", "x.supp"), std::runtime_error);
}

TEST_CASE("patterns match as LeakSanitizer's do") {
  CHECK(matches_suppression("foo", "a_foo_b"));
  CHECK(!matches_suppression("foo", "bar"));
  CHECK(!matches_suppression("foo", ""));
  CHECK(matches_suppression("^foo", "foo_b"));
  CHECK(!matches_suppression("^foo", "a_foo"));
  CHECK(matches_suppression("foo$", "a_foo"));
  CHECK(!matches_suppression("foo$", "foo_b"));
  CHECK(matches_suppression("^foo$", "foo"));
  CHECK(!matches_suppression("^foo$", "foofoo"));
  CHECK(matches_suppression("make*cache", "my_make_the_cache_now"));
  CHECK(!matches_suppression("make*cache", "cache_make"));
  CHECK(matches_suppression("^a*b$", "axxb"));
  CHECK(!matches_suppression("^ab*bc$", "abc"));  // the two parts do not overlap
  CHECK(matches_suppression("*", "anything"));
  CHECK(matches_suppression("^*x$", "abx"));
}

TEST_CASE("suppressed stacks leave the leaks view only, and are counted at the first match") {
  sample::Sample sample;
  sample.add("main cache", 100, 2).add("main cache !strdup", 10, 1).add("main load", 7, 1);
  FrameTree tree;
  auto stacks = sum_stacks(sample.sites, Grouping::kByFrames, sample.frames(), tree);
  auto suppressions = parse_suppressions("leak:^cache$\nleak:strdup\nleak:nothing\n", "f");
  suppress_leaks(suppressions, tree, stacks);
  CHECK(suppressions[0].stacks == 2);
  CHECK(suppressions[0].tally.bytes == 110);
  CHECK(suppressions[0].tally.blocks == 3);
  CHECK(suppressions[1].stacks == 0);
  CHECK(suppressions[2].stacks == 0);
  uint64_t leaked = 0, peak = 0;
  for (const StackSums& stack : stacks) {
    leaked += stack.of(View::kLeaks).bytes;
    peak += stack.of(View::kPeak).bytes;
  }
  CHECK(leaked == 7);
  CHECK(peak == 117);
}

TEST_CASE("files and modules are matched as well") {
  sample::Sample sample;
  sample.add("main !strdup", 10, 1);
  FrameTree tree;
  auto stacks = sum_stacks(sample.sites, Grouping::kByFrames, sample.frames(), tree);
  for (const char* pattern : {"leak:app.py", "leak:libc.so"}) {
    auto copy = stacks;
    auto suppressions = parse_suppressions(pattern, "f");
    suppress_leaks(suppressions, tree, copy);
    CHECK(suppressions[0].tally.bytes == 10);
  }
}
