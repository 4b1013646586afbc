#include "report/view/stack_diff.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/json/diff_json.h"
#include "report/terminal/diff_report.h"
#include "report/view/matched_files.h"
#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using nlohmann::json;

namespace {

const CodeOrigins kOrigins(sample::capture_info());

// Changes what a sample's frames say.
template <typename Edit>
FramesOf edited(FramesOf frames_of, Edit edit) {
  return [frames_of = std::move(frames_of), edit](uint32_t process, uint32_t node) {
    std::vector<reader::Frame> frames = frames_of(process, node);
    for (reader::Frame& frame : frames) edit(frame);
    return frames;
  };
}

}  // namespace

TEST_CASE("the largest change comes first, up or down, and the sums are both totals") {
  sample::Sample before, after;
  before.add("main same", 100, 1).add("main shrinks", 900, 9).add("main gone", 50, 1);
  after.add("main same", 100, 1).add("main shrinks", 100, 1).add("main comes", 300, 2);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = after.frames();
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/src"}, View::kPeak);
  std::vector<int64_t> deltas;
  uint64_t old_bytes = 0, new_bytes = 0;
  for (const DiffStack& stack : diff.stacks()) {
    deltas.push_back(stack.change.delta_bytes());
    old_bytes += stack.change.before.bytes;
    new_bytes += stack.change.after.bytes;
  }
  CHECK(deltas == std::vector<int64_t>{-800, 300, -50, 0});
  CHECK(old_bytes == 1050);
  CHECK(new_bytes == 500);
  CHECK(diff.total().before.bytes == 1050);
  CHECK(diff.total().after.bytes == 500);
  CHECK(diff.total().delta_bytes() == -550);
  CHECK(diff.total().delta_blocks() == -7);
}

TEST_CASE("a temporary view is sorted by blocks") {
  sample::Sample before, after;
  after.add("main bytes", 900, 1).add("main blocks", 10, 10);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = after.frames();
  const StackDiff diff({before.sites, old_frames, kOrigins, ""},
                       {after.sites, new_frames, kOrigins, ""}, View::kTemporary);
  CHECK(sample::calls_of(*diff.stacks()[0].tree, diff.stacks()[0].node) == "main blocks");
}

TEST_CASE("lines, clones and addresses that moved make no stack new") {
  sample::Sample before, after;
  before.add("main load !helper", 100, 1).add("main !libc.so.6+0x10", 5, 1);
  after.add("main load !helper", 300, 2).add("main !libc.so.6+0x99", 5, 1);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = edited(after.frames(), [](reader::Frame& frame) {
    if (frame.line != 0) frame.line += 100;
    if (frame.function == "helper") frame.function = "helper [clone .constprop.0]";
  });
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/src"}, View::kLeaks);
  REQUIRE(diff.stacks().size() == 2);
  CHECK(diff.stacks()[0].change.delta_bytes() == 200);
  CHECK(diff.stacks()[1].change.delta_bytes() == 0);
  // As the new capture has it.
  CHECK(diff.stacks()[0].tree->frame(diff.stacks()[0].node).function ==
        "helper [clone .constprop.0]");
}

TEST_CASE("stacks of one capture that differ by lines only are one stack of the diff") {
  sample::Sample before, after;
  before.add("main load", 100, 1);
  after.add("main load", 10, 1).add("main !x", 1, 1);
  uint32_t line = 0;
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = edited(after.frames(), [&line](reader::Frame& frame) {
    frame = sample::frames_of("main").front();
    frame.line = ++line;
  });
  const StackDiff diff({before.sites, old_frames, kOrigins, ""},
                       {after.sites, new_frames, kOrigins, ""}, View::kPeak);
  CHECK(diff.total().after.bytes == 11);
  uint64_t bytes = 0;
  for (const DiffStack& stack : diff.stacks()) bytes += stack.change.after.bytes;
  CHECK(bytes == 11);
}

TEST_CASE("files are the same below the program's folder, wherever that is") {
  sample::Sample before, after;
  before.add("main load", 100, 1);
  after.add("main load", 150, 1);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames =
      edited(after.frames(), [](reader::Frame& frame) { frame.file = "/srv/work/app.py"; });
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/srv/work"}, View::kPeak);
  REQUIRE(diff.stacks().size() == 1);
  CHECK(diff.stacks()[0].change.delta_bytes() == 50);
  // And where neither was started in its folder.
  const StackDiff elsewhere({before.sites, old_frames, kOrigins, "/tmp"},
                            {after.sites, new_frames, kOrigins, "/"}, View::kPeak);
  CHECK(elsewhere.stacks().size() == 1);
}

TEST_CASE("moved files are matched by the folders they share, when there is no doubt") {
  const auto match = [](FileNames olds, FileNames news) { return match_moved_files(olds, news); };
  CHECK(match({"/v1/src/a.cpp"}, {"/v2/src/a.cpp"}).at("/v1/src/a.cpp") == "/v2/src/a.cpp");
  CHECK(match({"/v1/x/a.py", "/v1/y/a.py"}, {"/v2/x/a.py", "/v2/y/a.py"}).at("/v1/y/a.py") ==
        "/v2/y/a.py");
  CHECK(match({"a.py"}, {"a.py", "b/a.py"}).empty());          // it has an equal
  CHECK(match({"/v1/a.py"}, {"/x/a.py", "/y/a.py"}).empty());  // two as good as each other
  CHECK(match({"x/__init__.py"}, {"y/__init__.py"}).empty());
  CHECK(match({"/v1/x/__init__.py"}, {"/v2/x/__init__.py"}).size() == 1);
  CHECK(match({"<string>"}, {"<stdin>"}).empty());
}

TEST_CASE("places sum up to the totals too") {
  sample::Sample before, after;
  before.add("main load !x", 100, 1).add("main load !y", 50, 1).add("main other", 10, 1);
  after.add("main load !x", 400, 1).add("main load !z", 50, 1);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = after.frames();
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/src"}, View::kPeak);
  REQUIRE(diff.places().size() == 2);
  CHECK(diff.places()[0].frame->function == "load");
  CHECK(diff.places()[0].change.before.bytes == 150);
  CHECK(diff.places()[0].change.after.bytes == 450);
  CHECK(diff.places()[1].change.delta_bytes() == -10);
}

TEST_CASE("the JSON of a diff has the members programs rely on") {
  sample::Sample before, after;
  before.add("main a", 100, 1).add("main b", 5, 1);
  after.add("main a", 700, 3);
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = after.frames();
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/src"}, View::kPeak);
  std::ostringstream out;
  write_diff_json(out, sample::capture_info(), sample::capture_info(), View::kPeak, diff, 1);
  const json parsed = json::parse(out.str());
  CHECK(parsed["schema"] == "memlens.diff/1");
  CHECK(parsed["view"] == "peak");
  CHECK(parsed["old_bytes"] == 105);
  CHECK(parsed["new_bytes"] == 700);
  CHECK(parsed["old_blocks"] == 2);
  CHECK(parsed["new_blocks"] == 3);
  CHECK(parsed["stack_count"] == 2);
  REQUIRE(parsed["stacks"].size() == 1);
  const json& stack = parsed["stacks"][0];
  CHECK(stack["old_bytes"] == 100);
  CHECK(stack["new_bytes"] == 700);
  CHECK(stack["delta_bytes"] == 600);
  CHECK(stack["delta_blocks"] == 2);
  CHECK(stack["frames"][0]["function"] == "a");
  CHECK(stack["frames"][1]["function"] == "main");
  CHECK(!stack.contains("delta_bytes_error"));
}

TEST_CASE("the text of a diff says what came, what went and what may be chance") {
  sample::Sample before, after;
  before.add("main gone", 5'000'000, 1).add("main noise", 1'000'000, 10);
  after.add("main comes", 9'000'000, 2).add("main noise", 1'100'000, 11);
  for (sample::Sample* sample : {&before, &after}) {
    sample->sites.back().peak.variance = {1e12, 0};
  }
  const FramesOf old_frames = before.frames();
  const FramesOf new_frames = after.frames();
  const StackDiff diff({before.sites, old_frames, kOrigins, "/src"},
                       {after.sites, new_frames, kOrigins, "/src"}, View::kPeak);
  std::ostringstream out;
  print_diff_report(out, Terminal{}, sample::capture_info(), sample::capture_info(), View::kPeak,
                    diff, kOrigins, kOrigins, {2, 14});
  const std::string text = out.str();
  CHECK(text.find("Peak: 6.00 MB → 10.1 MB, +4.10 MB ± 1.41 MB (+68.3 %); 11 → 13 blocks") !=
        std::string::npos);
  CHECK(text.find("1.  +9.00 MB  0 B → 9.00 MB in 0 → 2 blocks  only in new") != std::string::npos);
  CHECK(text.find("2.  -5.00 MB  5.00 MB → 0 B in 1 → 0 blocks  only in old") != std::string::npos);
  CHECK(text.find("Stacks: 1 more grew by 100 kB  (-n 0 shows all that changed)") !=
        std::string::npos);
  std::ostringstream all;
  print_diff_report(all, Terminal{}, sample::capture_info(), sample::capture_info(), View::kPeak,
                    diff, kOrigins, kOrigins, {0, 14});
  CHECK(all.str().find("may be chance") != std::string::npos);
}
